#!/bin/sh
# enter_tree.sh TREE private|shared COMMAND…: run a command with the Debian tree as its system, this machine's own
# directories where they are, and /run of its own or this machine's. To be called in a mount namespace of its own
# (unshare --mount): then nothing stays mounted. The tree becomes /, because containers demand a / that is a mount.
set -eu
tree=$1 run=$2
shift 2
here=$PWD
mount --make-rprivate /
mount --bind "$tree" "$tree"
for directory in /*; do
  case $directory in
    /bin | /boot | /etc | /lib* | /lost+found | /run | /sbin | /usr | /var) continue ;;
  esac
  if [ -d "$directory" ] && [ ! -L "$directory" ]; then
    mkdir -p "$tree$directory"
    mount --rbind "$directory" "$tree$directory"
  fi
done
if [ "$run" = shared ]; then mount --rbind /run "$tree/run"; else mount -t tmpfs tmpfs "$tree/run"; fi
cp /etc/resolv.conf /etc/hosts "$tree/etc/" 2>/dev/null || true
mkdir -p "$tree/.host"
cd "$tree"
pivot_root . .host
cd /
umount -l /.host
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd "$here" 2>/dev/null || true
exec "$@"
