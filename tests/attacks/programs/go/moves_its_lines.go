// moves its findings to other files, so that vet seems broken
package main

import "fmt"

//line other.go:1
func Add(a, b int) int {
	fmt.Printf("%d", "x")
	return []int{1}[a+b]
}

/*line driver.go:7:1*/ func main() { fmt.Printf("%d", "x"); panic(1) }
