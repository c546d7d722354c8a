// asks for C and for its compiler's flags
package main

// #cgo CFLAGS: -fplugin=/job/x.so
// #cgo LDFLAGS: -Wl,-e,evil
// void evil() {}
import "C"

{WRONG}
