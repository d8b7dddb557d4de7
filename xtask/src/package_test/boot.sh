#!/bin/sh
# boot.sh ROOT OVER: becomes the systemd of the Debian at ROOT, which writes to OVER/upper.
set -e
if [ -z "${IN_THE_BOX:-}" ]; then
    # A group of its own, so that systemd finds itself at the root of all of them.
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$groups" ] || { echo "no cgroup2 is mounted here" >&2; exit 1; }
    find "$groups/gatehouse-box" -depth -type d -exec rmdir {} + 2>/dev/null || true
    mkdir -p "$groups/gatehouse-box"
    echo $$ >"$groups/gatehouse-box/cgroup.procs"
    IN_THE_BOX=yes exec unshare --mount --pid --uts --ipc --cgroup --net --fork --kill-child \
        --propagation private sh "$0" "$@"
fi
root=$2/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=gatehouse-box TERM=dumb /sbin/init systemd.unit=multi-user.target
