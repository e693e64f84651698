// Package unpack takes recording tarballs apart: Inspect says whether a
// tarball is whole and safe and what it holds without writing anything, Extract
// writes what was inspected below a directory.
//
// It owns the rules of what a tarball may contain: only regular files and
// directories, named FORMAT/RECORDID/..., each once, within Limits. Whatever
// breaks a rule makes the whole tarball refused; nothing is skipped, renamed or
// repaired. It knows nothing of metadata.xml, the spool, the store or the
// places where recordings are kept, and must not import them: it uses the
// standard library and golang.org/x/sys.
//
// # Formats
//
// Taken are the tar formats GNU (with its long names), POSIX pax, ustar and v7,
// plain or compressed with gzip, recognised by content. Names and sizes are
// checked as they are after all overriding headers have been applied. Sparse
// members are refused: GNU tar writes them with --sparse only, and their sizes
// are claims. Owners, times, modes and extended attributes in the tarball are
// ignored; files become 0644, directories 0755, whatever the umask.
//
// # Copying
//
// The data of an entry of an uncompressed tarball lies in it as one piece, so
// it goes from file to file inside the kernel by copy_file_range(2). On file
// systems that share blocks between files (XFS, Btrfs) that call clones what is
// aligned to blocks on its own. There is no FICLONERANGE here, as it takes
// nothing else: tar aligns data to 512 bytes, so seven of eight entries do not
// qualify, and the eighth is cloned already. Files of a MiB and more are
// preallocated, and their way to the disk begins while they are copied: both
// shortened the extraction of 2 GiB by a fifth to a quarter on ext4.
//
// # Durability
//
// When Extract returns nil, files and directories have reached the disk. On
// local file systems one syncfs(2) at the end does it: for a recording of 30
// small files on ext4 it took a third of the time of 30 times fsync(2), and
// little more than half of that with write-back started for all before. Its
// price is that it waits for what others wrote to the same file system until
// then. Where syncfs does not vouch for everything (network and FUSE file
// systems, kernels before 5.8, which keep write errors to themselves) each file
// and directory is synchronised by itself.
package unpack
