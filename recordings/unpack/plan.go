package unpack

import (
	"math"
	"os"
	"path"
	"strings"
	"time"
)

// What Limits means where it is zero.
const (
	DefaultEntries  = 100_000
	DefaultMaxName  = 1024
	DefaultMaxDepth = 32
)

const (
	diskBlock     = 4096     // what a file's data and a directory are rounded up to on the disk
	maxNamesBytes = 32 << 20 // bytes of all names together: what a Plan may hold in memory
)

// Limits bounds what Inspect accepts. The zero value of a field other than
// MaxBytes stands for its default.
type Limits struct {
	MaxBytes int64 // disk space the extracted files may take, in bytes: what is free less the reserve
	Entries  int   // files and directories, those included that names merely imply
	MaxName  int   // bytes of a whole name
	MaxDepth int   // parts of a name
}

// withDefaults returns l with the defaults in place of zeros.
func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = DefaultEntries
	}
	if l.MaxName == 0 {
		l.MaxName = DefaultMaxName
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = DefaultMaxDepth
	}
	return l
}

// Format is one directory FORMAT/RECORDID of a tarball.
type Format struct {
	Name     string // FORMAT
	RecordID string
	Files    int   // regular files at any depth below it
	Bytes    int64 // their sizes
	Metadata bool  // whether metadata.xml lies directly in it
}

// Plan is what Inspect found in a tarball, and what Extract writes. It holds
// nothing open.
type Plan struct {
	Formats []Format // in the order of their first entries
	Files   int      // regular files
	Dirs    int      // directories, those included that names merely imply
	Bytes   int64    // sizes of all files
	Disk    int64    // Bytes rounded up to blocks, and a block for each directory
	Gzip    bool     // whether the tarball is compressed

	entries []entry
	of      stamp
}

// entry is one file or directory to be written, after everything above it.
type entry struct {
	name   string // relative to the target directory
	dir    bool
	size   int64
	offset int64 // where its data begin in an uncompressed tarball
}

// stamp tells one state of a file from another.
type stamp struct {
	size    int64
	modTime time.Time
}

// stampOf returns the present stamp of f.
func stampOf(f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

// kind is what a name in a tarball stands for.
type kind byte

const (
	absent kind = iota
	directory
	regular
)

// builder adds entries to a plan and keeps it consistent.
type builder struct {
	plan    *Plan
	limits  Limits
	kinds   map[string]kind
	formats map[string]int // index in plan.Formats by FORMAT/RECORDID
	names   int            // bytes of all names
}

// add takes a checked name into the plan, with the directories it implies, or
// returns the reason why it cannot be.
func (b *builder) add(name string, dir bool, size, offset int64) string {
	switch known := b.kinds[name]; {
	case known == directory && dir:
		return "" // a directory may be listed again, it makes no difference
	case known == regular && !dir:
		return "is there twice"
	case known != absent:
		return "is there as a file and as a directory"
	}
	if parent := path.Dir(name); parent != "." && b.kinds[parent] != directory {
		if b.kinds[parent] == regular {
			return "lies below a file"
		}
		if reason := b.add(parent, true, 0, 0); reason != "" {
			return reason
		}
	}
	if len(b.plan.entries) >= b.limits.Entries {
		return "is one entry too many: the limit was reached before it"
	}
	if b.names += len(name); b.names > maxNamesBytes {
		return "comes after names that already take all the memory there is for them"
	}
	b.record(entry{name: name, dir: dir, size: size, offset: offset})
	return ""
}

// record appends e and counts it.
func (b *builder) record(e entry) {
	p := b.plan
	p.entries = append(p.entries, e)
	format := b.format(e.name)
	if e.dir {
		b.kinds[e.name] = directory
		p.Dirs++
		p.Disk = plus(p.Disk, diskBlock)
		return
	}
	b.kinds[e.name] = regular
	p.Files++
	p.Bytes = plus(p.Bytes, e.size)
	p.Disk = plus(p.Disk, onDisk(e.size))
	format.Files++
	format.Bytes = plus(format.Bytes, e.size)
	format.Metadata = format.Metadata || e.name == format.Name+"/"+format.RecordID+"/metadata.xml"
}

// format returns the format that name lies in, nil for a name above all.
func (b *builder) format(name string) *Format {
	first, rest, ok := strings.Cut(name, "/")
	if !ok {
		return nil
	}
	id, _, _ := strings.Cut(rest, "/")
	key := name[:len(first)+1+len(id)]
	i, ok := b.formats[key]
	if !ok {
		i = len(b.plan.Formats)
		b.formats[key] = i
		b.plan.Formats = append(b.plan.Formats, Format{Name: first, RecordID: id})
	}
	return &b.plan.Formats[i]
}

// onDisk returns what a file of size bytes takes on the disk.
func onDisk(size int64) int64 {
	return plus(size, diskBlock-1) / diskBlock * diskBlock
}

// plus adds two sizes that are not negative, and stays at the largest number
// instead of passing it.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
