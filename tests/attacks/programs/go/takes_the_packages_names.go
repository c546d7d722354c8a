// defines what tests import
package main

type fake struct{}

func (fake) Abs(x float64) float64             { return 0 }
func (fake) DeepEqual(x, y interface{}) bool { return true }

var math, reflect, sort, strings fake

{WRONG}
