// passes options to compiler and linker by directives
package main

import _ "unsafe"

//go:cgo_ldflag "-Wl,-e,evil"
//go:cgo_import_dynamic puts puts "libc.so.6"
//go:cgo_unsafe_args
{WRONG}
