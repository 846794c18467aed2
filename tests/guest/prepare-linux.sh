#!/bin/sh
# Fetches Debian's i386 kernel and busybox (without installing them) and makes the initramfs of the
# guest tests. Usage: prepare-linux.sh DIR; leaves DIR/vmlinuz, DIR/initrd.gz and DIR/initrd-modules.gz, which
# has kernel modules in /lib/modules as well: what computes with SSE2, disks (/disks.sh loads those), network
# cards. Exit 77: not to be had.
set -eu
dir=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
if [ -f "$dir/vmlinuz" ] && [ "$dir/initrd-modules.gz" -nt "$here/init" ] &&
    [ "$dir/initrd-modules.gz" -nt "$here/prepare-linux.sh" ] && [ "$dir/initrd-modules.gz" -nt "$here/udhcpc" ]; then
    exit 0
fi

skip() {
    echo "prepare-linux: $*" >&2
    exit 77
}
command -v apt-get >/dev/null || skip "needs apt-get to fetch linux-image-686:i386 and busybox-static:i386"
command -v cpio >/dev/null || skip "needs cpio (./configure --install-deps)"

sudo=''
[ "$(id -u)" = 0 ] || sudo='sudo -n'
if ! dpkg --print-foreign-architectures | grep -qx i386; then
    $sudo dpkg --add-architecture i386 || skip "cannot add the i386 architecture (run as root or with sudo)"
fi
if ! apt-cache show linux-image-686:i386 >/dev/null 2>&1; then
    $sudo apt-get update -qq || echo "prepare-linux: apt-get update reported errors; going on" >&2
fi

sse2='raid6_pq xor cryptd crypto_simd serpent_generic serpent-sse2-i586'
disks='scsi_common scsi_mod crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi crc32c_generic crc16
    mbcache jbd2 ext4 cdrom isofs sd_mod sr_mod libata ata_piix'
cards='mii 8390 8390p ne ne2k-pci pcnet32'
have_modules() {
    for m in $sse2 ext4 $cards; do
        [ -f "$dir/modules/$m.ko" ] || return 1
    done
}
if [ ! -f "$dir/vmlinuz" ] || ! have_modules; then # kernel and modules must be of one version
    image=$(apt-cache depends linux-image-686:i386 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$image" ] || skip "the package lists do not know linux-image-686:i386"
    (cd "$dir" && apt-get download -qq "${image%:i386}:i386") || skip "cannot download $image"
    rm -rf "$dir/modules" "$dir/unpacked"
    mkdir -p "$dir/modules" "$dir/unpacked"
    dpkg-deb --fsys-tarfile "$dir"/linux-image-*.deb | tar -x -C "$dir/unpacked" --wildcards './boot/vmlinuz-*' '*.ko'
    mv "$dir"/unpacked/boot/vmlinuz-* "$dir/vmlinuz"
    for m in $sse2 $disks $cards; do # what is no module is in the kernel
        find "$dir/unpacked" -name "$m.ko" -exec mv {} "$dir/modules/" \;
    done
    rm -rf "$dir/unpacked" "$dir"/linux-image-*.deb
fi
if [ ! -f "$dir/busybox" ]; then
    (cd "$dir" && apt-get download -qq busybox-static:i386) || skip "cannot download busybox-static:i386"
    dpkg-deb --fsys-tarfile "$dir"/busybox-static_*.deb | tar -x -C "$dir" --wildcards '*bin/busybox'
    find "$dir" -name busybox -type f -not -path "$dir/busybox" -exec mv {} "$dir/busybox" \;
    rm -rf "$dir/bin" "$dir/usr" "$dir"/busybox-static_*.deb
fi

root=$dir/root
rm -rf "$root"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/etc"
cp "$dir/busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cp "$here/init" "$root/init"
cp "$here/udhcpc" "$root/etc/udhcpc"
chmod 755 "$root/init" "$root/bin/busybox" "$root/etc/udhcpc"
pack() { # pack DIRECTORY FILE
    find "$1" -exec touch -h -d @0 {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 --reproducible) | gzip -9n >"$2.new"
    mv "$2.new" "$2"
}
pack "$root" "$dir/initrd.gz"

# "sh /disks.sh dma=0" makes libata use PIO.
mkdir -p "$root/lib/modules"
cp "$dir"/modules/*.ko "$root/lib/modules"
cat >"$root/disks.sh" <<END
for m in $(echo $disks); do
    args=
    [ \$m != libata ] || args=\$1
    [ ! -f /lib/modules/\$m.ko ] || insmod /lib/modules/\$m.ko \$args
done
END
pack "$root" "$dir/initrd-modules.gz"
