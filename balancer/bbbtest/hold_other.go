//go:build !unix

package bbbtest

// holdPort reserves nothing here: the port is free while the server is stopped.
func holdPort(string) func() { return nil }
