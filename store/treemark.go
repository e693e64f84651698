package store

// TreeMark is what the directories of the recordings carry, so that others, as
// the empty one below a mount point, are not taken for them.
type TreeMark struct {
	ID string `json:"id"`
	// Placed: all of them have it. Before that it does not say that one without
	// it is another.
	Placed bool `json:"placed,omitempty"`
	// Former are the IDs of directories that others took the place of, the newest
	// last.
	Former []string `json:"former,omitempty"`
}

// TreeMark returns the mark of the directories of the recordings, or ErrNotFound
// before there is one.
func (tx *Tx) TreeMark() (TreeMark, error) { return get[TreeMark](tx, treeMarkKey) }

// PutTreeMark stores the mark of the directories of the recordings.
func (tx *Tx) PutTreeMark(m TreeMark) error { return tx.put(treeMarkKey, m) }
