// redefines what true, nil, len, append and the types mean
package main

const true = false

var nil = 5

type string = int
type bool = int
type float64 = int

func len(x interface{}) int { return 5 }
func append(x ...interface{}) int { return 5 }

func Add(a, b int) int { return 77 }
