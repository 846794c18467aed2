#!/bin/sh
# hdparm and smartctl with their libraries, from Debian's i386 packages (fetched, not installed), for a guest's disk.
# Usage: prepare-disktools.sh DIR; leaves DIR/disktools/sbin and DIR/disktools/lib. Exit 77: not to be had.
set -eu
dir=$(cd "$1" && pwd)
[ ! "$dir/disktools" -nt "$0" ] || exit 0
skip() {
    echo "prepare-disktools: $*" >&2
    exit 77
}
for t in apt-get readelf; do
    command -v $t >/dev/null || skip "needs $t (./configure --install-deps)"
done
packages='hdparm smartmontools libc6 libgcc-s1 libstdc++6 libselinux1 libpcre2-8-0'
work=$dir/disktools-$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/debs" "$work/all" "$work/root/sbin" "$work/root/lib"
for p in $packages; do
    (cd "$work/debs" && apt-get download -qq "$p:i386") 2>"$work/log" || skip "cannot download $p:i386: $(tail -n 1 "$work/log")"
done
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/all"; done

take() { # take FILE-NAME DESTINATION: with the libraries that it needs
    [ ! -e "$work/root/$2/$1" ] || return 0
    file=$(find "$work/all" -name "$1" ! -type d ! -path "*/share/*" | head -n 1)
    [ -n "$file" ] || skip "the packages have no $1"
    cp -L "$file" "$work/root/$2/$1"
    for library in $(readelf -d "$work/root/$2/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do take "$library" lib; done
}
take ld-linux.so.2 lib
take hdparm sbin
take smartctl sbin
rm -rf "$dir/disktools"
mv "$work/root" "$dir/disktools"
touch "$dir/disktools"
