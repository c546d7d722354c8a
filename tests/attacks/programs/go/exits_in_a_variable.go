// ends well while its variables are set
package main

import "os"

var _ = func() int { os.Exit(0); return 1 }()

{WRONG}
