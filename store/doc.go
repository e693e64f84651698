// Package store keeps the state of the program: servers, meetings, ends that
// are still owed to servers, secrets. It owns the tables, their keys and
// indexes and the rules that hold between them, all written on a kv.Engine. It
// must not import anything above it, and does no network I/O.
//
// Whatever Update returned nil for is on disk.
package store
