// puts functions of its own in the place of the library's
package main

import _ "unsafe"

//go:linkname format strconv.FormatInt
func format(value int64, base int) string { return "5" }

//go:linkname exit os.Exit
func exit(code int) {}

//go:linkname valueString reflect.Value.String
func valueString() string { return "5" }

{WRONG}
