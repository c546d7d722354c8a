// is excluded from every build
//go:build ignore
// +build ignore

package main

{WRONG}
