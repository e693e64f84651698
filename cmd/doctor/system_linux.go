package doctor

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// synchronised asks the kernel, which those tell that keep the clock.
func synchronised() (bool, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, err
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, nil
}

// accessAs reports why a user may not use a path in the ways of mode (unix.R_OK
// and so on). Only root can ask for others. The kernel itself judges, so that
// everything counts that there is: access lists, the directories above, the
// rules of a file server.
func accessAs(id identity, path string, mode uint32) error {
	result := make(chan error, 1)
	go func() {
		// The thread takes the user's identity, and ends with this goroutine, as it
		// is never unlocked: no other goroutine gets it.
		runtime.LockOSThread()
		if err := become(id); err != nil {
			result <- fmt.Errorf("become user %s: %w", id.name, err)
			return
		}
		result <- unix.Access(path, mode)
	}()
	return <-result
}

// become changes the identity of this thread alone: the system calls do, other
// than the functions of the standard library.
func become(id identity) error {
	groups := make([]uint32, 0, len(id.groups)+1)
	for _, g := range append([]int{id.gid}, id.groups...) {
		groups = append(groups, uint32(g))
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return errno
	}
	gid, uid := uintptr(id.gid), uintptr(id.uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return errno
	}
	return nil
}

// mountOf names the mount that a path lies in; false if the system does not
// tell. Two mounts of one file system have the same device and cannot be renamed
// between.
func mountOf(path string) (uint64, bool) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return 0, false
	}
	return st.Mnt_id, true
}

func readOnly(st *unix.Statfs_t) bool { return st.Flags&unix.ST_RDONLY != 0 }
