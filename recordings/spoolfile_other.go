//go:build !linux

package recordings

// renameFree renames a file to a name that nothing has; fs.ErrExist if one has.
func renameFree(from, to string) error { return renameLooking(from, to) }
