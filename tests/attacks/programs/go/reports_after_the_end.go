// leaves a child that writes to the report after it has ended
package main

import "os"

func init() {
	if len(os.Args) > 1 {
		for {
			os.NewFile(3, "report").WriteString("int\t5\n")
		}
	}
	os.StartProcess("/job/program", []string{"program", "child"}, &os.ProcAttr{Files: []*os.File{nil, nil, nil, os.NewFile(3, "report")}})
	os.Exit(0)
}

{WRONG}
