// puts its own file in the place of the report
package main

import "os"

func init() { haloForgeReport, _ = os.Create("/work/report") }

{WRONG}
