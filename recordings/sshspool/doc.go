// Package sshspool lets BBB servers write tarballs into the spool over SSH, and
// do nothing else: it keeps their keys in an authorized_keys file, each bound to
// a command of this program, and it is that command.
//
// A key is held by three fences. sshd runs the command whatever the client asks
// for ("restrict" takes the terminal and all forwarding away). The command takes
// only the rsync invocations that write into the spool, option by option, and
// sftp. And the kernel (Landlock) keeps what then runs from reading any file of
// people and from writing anywhere but into the spool, whatever the client makes
// of it.
//
// It must not import anything of the program.
package sshspool
