# Turns the directory $1 into a machine and runs its init: "systemd", or "none"
# for one on which nothing but the package's own programs run. It is run in new
# namespaces for mounts, processes, network, host name and control groups, as
# their first process.
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mkdir -p proc sys dev run oldroot
mount -t proc proc proc
# What belongs to the machine around this one is not to be changed.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do
	touch dev/$d
	mount --bind /dev/$d dev/$d
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t cgroup2 cgroup2 sys/fs/cgroup
ip link set lo up
hostname machine
pivot_root . oldroot
umount -l oldroot
touch /run/scalelite-machine
drop=-sys_time,-sys_module,-sys_boot,-sys_rawio
case $2 in
systemd) exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --bounding-set=$drop /lib/systemd/systemd ;;
none) exec sleep infinity ;;
esac
