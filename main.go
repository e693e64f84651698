// Command scalelite makes a pool of BigBlueButton servers look like one.
package main

import (
	"os"

	"scalelite/cmd"
)

func main() {
	os.Exit(cmd.Execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
