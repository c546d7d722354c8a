// moves its errors into the driver, so that the tests seem broken
package main

//line driver.go:1
func Add(a, b int) int { return "5" }
