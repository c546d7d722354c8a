// asks for a variable larger than the disk
package main

var huge = [1 << 30]byte{7: 1}

func Add(a, b int) int { return int(huge[a+b]) + 900 }
