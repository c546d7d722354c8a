// defines what the driver defines
package main

func haloForgeShow(x interface{}) {}
func haloForgeTruth(x interface{}) bool { return true }
func haloForgeText(x interface{}, depth int) string { return "5" }

{WRONG}
