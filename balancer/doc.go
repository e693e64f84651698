// Package balancer makes a pool of BBB servers look like one: it places each
// new meeting on the best server, sends the calls that concern a meeting to
// where it runs, watches the servers and carries out what operators want of the
// pool.
//
// The Pool is the soft state in memory, by which servers are chosen; everything
// that must outlive the process is in the store. Nothing here knows HTTP
// requests: package web verifies and decodes them.
package balancer
