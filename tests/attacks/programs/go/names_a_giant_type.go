// reports a type with a name of a megabyte
package main

import "strings"
import "os"

func init() {
	report := os.NewFile(3, "report")
	for i := 0; i < 3; i++ {
		report.WriteString(strings.Repeat("x", 300000) + "\t5\n")
	}
	os.Exit(0)
}

{WRONG}
