// embeds files of the machine and of the job
package main

import _ "embed"

//go:embed driver.go
var driver string

//go:embed /etc/passwd
var secret string

{WRONG}
