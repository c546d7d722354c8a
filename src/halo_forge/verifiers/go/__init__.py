"""Go programs: `go`."""
