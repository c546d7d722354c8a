// nests types beyond measure
package main

type a [1 << 10]struct{ x, y interface{ m() a } }
type b struct{ x, y [1 << 30]a }

var huge [1 << 20]b

{WRONG}
