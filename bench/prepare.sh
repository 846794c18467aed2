#!/bin/bash
# Makes the guests of the benchmark. Usage: prepare.sh GUESTS [CORPUS] ("" as CORPUS: no DOS rows).
# Leaves in GUESTS/bench: base.gz and programs.cpio (initial RAM file systems: busybox and our own programs;
# and with Debian's lua5.4, 7zr, cc1, perl and openssl), native/ (the same files, for the host's own processor), dos.img and
# fdhd.img (FreeDOS floppy and hard disk that run the DOS rows), and for Bochs, which cannot be given a kernel,
# NAME.disk (hard disks that boot each of them) and bios.bin. Packages are fetched with apt-get download
# and unpacked, not installed. What cannot be had is said, and its rows are left out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
guests=$1
corpus=${2:-}
sh "$here/../tests/guest/prepare-linux.sh" "$guests"
guests=$(cd "$guests" && pwd)
dir=$guests/bench
done=$dir/.done
newest=$(find "$here/guest" "$here/prepare.sh" "$here/../tests/guest/init" -type f -newer "$done" 2>/dev/null || echo no)
if [ -z "$newest" ] && { [ -z "$corpus" ] || { [ -f "$dir/dos.img" ] && [ -f "$dir/fdhd.img" ]; }; }; then
    exit 0
fi
mkdir -p "$dir/packages"
rm -f "$done"

say() {
    echo "bench: $*" >&2
}

# --- packages ---
fetch() { # fetch NAME...: into packages/NAME, unpacked
    local p
    for p; do
        local to=$dir/packages/${p%:i386}
        [ -d "$to" ] && continue
        (cd "$dir/packages" && apt-get download -qq "$p" 2>/dev/null) || { say "cannot download $p"; return 1; }
        mkdir -p "$to.new"
        dpkg-deb -x "$dir/packages/${p%:i386}"_*.deb "$to.new"
        rm -f "$dir/packages/${p%:i386}"_*.deb
        mv "$to.new" "$to"
    done
}

# --- our own programs ---
cc=
for c in "${CC:-gcc} -m32" "gcc -m32" "clang --target=i386-linux-gnu -fuse-ld=lld" "i686-linux-gnu-gcc"; do
    echo 'void _start(void) {}' >"$dir/try.c"
    if $c -ffreestanding -nostdlib -static "$dir/try.c" -o "$dir/try" 2>/dev/null; then
        cc=$c
        break
    fi
done
rm -f "$dir/try" "$dir/try.c"
own=$dir/own
rm -rf "$own"
mkdir -p "$own/bin" "$own/data"
if [ -n "$cc" ]; then
    for source in "$here"/guest/*.c; do
        name=$(basename "$source" .c)
        float='-mfpmath=387 -mno-sse'
        [ "$name" != simd ] || float='-msse2 -mfpmath=sse'
        $cc -march=i686 -O2 -ffreestanding -fno-pic -no-pie -static -nostdlib -fno-math-errno -fno-stack-protector \
            -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns $float "$source" -o "$own/bin/bench-$name"
    done
else
    say "no compiler here makes i386 programs (gcc -m32): no mem, float, simd, smc, hot, remap"
fi
awk -v what=text -f "$here/guest/generate.awk" >"$own/data/text"

# --- initial RAM file systems ---
pack() { # pack DIRECTORY: to standard output
    find "$1" -exec touch -h -d @0 {} +
    (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 --reproducible)
}
base=$dir/base
rm -rf "$base"
mkdir -p "$base/bin" "$base/dev" "$base/proc" "$base/sys" "$base/tmp" "$base/etc"
cp "$guests/busybox" "$base/bin/busybox"
ln -s busybox "$base/bin/sh"
cp "$here/../tests/guest/init" "$base/init"
chmod 755 "$base/init" "$base/bin/busybox"
cp -r "$own"/* "$base/"
pack "$base" | gzip -9n >"$dir/base.gz"

programs=$dir/programs
rm -rf "$programs"
cp -a "$base" "$programs"
mkdir -p "$programs/lib" "$programs/usr/lib"
fetch libc6:i386 libgcc-s1:i386 libstdc++6:i386
copy() { # copy PACKAGE PATTERN...: libraries to /lib, with the names that programs want
    local p=$1 f
    shift
    for pattern; do
        find "$dir/packages/$p" -path "$pattern" | while read -r f; do
            cp -P "$f" "$programs/lib/"
        done
    done
}
copy libc6 '*/lib/i386-linux-gnu/ld-linux.so.2' '*/lib/i386-linux-gnu/lib[cm].so.6' '*/lib/i386-linux-gnu/lib*dl.so.2' '*/libpthread.so.0'
copy libgcc-s1 '*/libgcc_s.so.1'
copy libstdc++6 '*/i386-linux-gnu/libstdc++.so.6*'
if fetch lua5.4:i386 liblua5.4-0:i386 libreadline8:i386 libtinfo6:i386; then
    copy liblua5.4-0 '*/liblua5.4.so.*'
    copy libreadline8 '*/libreadline.so.*'
    copy libtinfo6 '*/libtinfo.so.*'
    cp "$dir/packages/lua5.4/usr/bin/lua5.4" "$programs/bin/lua"
    cp "$here/guest/mix.lua" "$programs/data/"
fi
if fetch p7zip:i386; then
    cp "$dir/packages/p7zip/usr/lib/p7zip/7zr" "$programs/bin/7zr"
fi
cpp=$(apt-cache depends cpp:i386 2>/dev/null | sed -n 's/.*Depends: \(cpp-[0-9]*\).*/\1/p' | head -n 1)
if fetch "${cpp:-cpp-12}:i386" libmpc3:i386 libmpfr6:i386 libgmp10:i386 libisl23:i386 zlib1g:i386 libzstd1:i386; then
    copy libmpc3 '*/libmpc.so.*'
    copy libmpfr6 '*/libmpfr.so.*'
    copy libgmp10 '*/libgmp.so.*'
    copy libisl23 '*/i386-linux-gnu/libisl.so.*'
    copy zlib1g '*/libz.so.*'
    copy libzstd1 '*/libzstd.so.*'
    find "$dir/packages/${cpp:-cpp-12}" -name cc1 -exec cp {} "$programs/bin/" \;
    awk -v what=c -f "$here/guest/generate.awk" >"$programs/data/big.c"
fi
if fetch perl-base:i386 libcrypt1:i386; then
    copy libcrypt1 '*/libcrypt.so.*'
    cp "$dir/packages/perl-base/usr/bin/perl" "$programs/bin/"
    cp -r "$dir/packages/perl-base/usr/lib/i386-linux-gnu" "$programs/usr/lib/"
    cp "$here/guest/mix.pl" "$programs/data/"
fi
if fetch openssl:i386 libssl3:i386; then
    copy libssl3 '*/libcrypto.so.*'
    copy libssl3 '*/libssl.so.*'
    cp "$dir/packages/openssl/usr/bin/openssl" "$programs/bin/"
fi
if fetch bzip2:i386 libbz2-1.0:i386 xz-utils:i386 liblzma5:i386 sqlite3:i386 libsqlite3-0:i386; then # only `make sequences`
    copy libbz2-1.0 '*/libbz2.so.*'
    copy liblzma5 '*/liblzma.so.*'
    copy libsqlite3-0 '*/libsqlite3.so.*'
    cp "$dir/packages/bzip2/bin/bzip2" "$dir/packages/xz-utils/usr/bin/xz" "$dir/packages/sqlite3/usr/bin/sqlite3" "$programs/bin/"
fi
pack "$programs" >"$dir/programs.cpio"

# --- the host's own processor ---
native=$dir/native
rm -rf "$native"
cp -a "$programs" "$native"
for name in $("$native/bin/busybox" --list 2>/dev/null || true); do
    [ -e "$native/bin/$name" ] || ln -s busybox "$native/bin/$name"
done

# --- DOS ---
floppy=$corpus/images/freedos/fd144.img hard_disk=$corpus/images/freedos/fdhd.img
autoexec() { # autoexec IMAGE FILE: what the image's DOS does when it has started
    sed 's/$/\r/' "$here/guest/$2" >"$dir/$2"
    mcopy -o -i "$dir/$1" "$dir/$2" ::/AUTOEXEC.BAT
}
if [ -n "$corpus" ] && [ -f "$floppy" ] && command -v nasm >/dev/null && command -v mcopy >/dev/null; then
    cp "$floppy" "$dir/dos.new"
    chmod u+w "$dir/dos.new"
    for source in "$here"/guest/*.asm; do
        name=$(basename "$source" .asm)
        nasm -f bin -o "$dir/$name.com" "$source"
        mcopy -o -i "$dir/dos.new" "$dir/$name.com" "::/"
    done
    autoexec dos.new autoexec.bat
    mv "$dir/dos.new" "$dir/dos.img"
else
    say "no FreeDOS floppy (see CONTRIBUTING.md), nasm or mtools: no DOS rows"
fi
if [ -n "$corpus" ] && [ -f "$hard_disk" ] && command -v mcopy >/dev/null; then
    cp "$hard_disk" "$dir/fdhd.new"
    chmod u+w "$dir/fdhd.new"
    autoexec fdhd.new@@32256 topbench.bat
    mv "$dir/fdhd.new" "$dir/fdhd.img"
else
    say "no FreeDOS hard disk (see CONTRIBUTING.md) or mtools: no topbench"
fi

# --- Bochs ---
if command -v bochs >/dev/null && fetch bochsbios syslinux syslinux-common; then
    syslinux=$(find "$dir/packages/syslinux" -name syslinux -type f -perm /111 | head -n 1)
    cp "$(find "$dir/packages/bochsbios" -name BIOS-bochs-latest)" "$dir/bios.bin"
    bochs_disk() { # bochs_disk NAME INITRD
        local disk=$dir/$1.disk size
        size=$(($(stat -c %s "$guests/vmlinuz") + $(stat -c %s "$2") + (12 << 20)))
        local cylinders=$((size / (16 * 63 * 512) + 1)) n
        local sectors=$(((cylinders - 1) * 16 * 63)) # of the partition, which begins with the second track
        rm -f "$disk"
        truncate -s $((cylinders * 16 * 63 * 512)) "$disk"
        n=$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((sectors & 255)) $((sectors >> 8 & 255)) $((sectors >> 16 & 255)) $((sectors >> 24)))
        cat "$(find "$dir/packages/syslinux-common" -name mbr.bin | head -n 1)" /dev/zero | head -c 440 |
            dd of="$disk" conv=notrunc status=none
        printf '\x80\x01\x01\x00\x0e\xfe\xff\xff\x3f\x00\x00\x00'"$n" |
            dd of="$disk" conv=notrunc bs=1 seek=446 status=none
        printf '\x55\xaa' | dd of="$disk" conv=notrunc bs=1 seek=510 status=none
        mformat -i "$disk@@32256" -T "$sectors" -s 63 -h 16 -H 63 ::
        printf 'DEFAULT l\nLABEL l\nKERNEL vmlinuz\nINITRD initrd\nAPPEND %s\n' \
            'console=ttyS0,115200 debug quiet earlyprintk=serial,ttyS0,115200' >"$dir/syslinux.cfg"
        mcopy -i "$disk@@32256" "$guests/vmlinuz" ::/vmlinuz
        mcopy -i "$disk@@32256" "$2" ::/initrd
        mcopy -i "$disk@@32256" "$dir/syslinux.cfg" ::/syslinux.cfg
        "$syslinux" --install --offset 32256 "$disk"
    }
    bochs_disk base "$dir/base.gz"
    bochs_disk programs "$dir/programs.cpio"
else
    say "no bochs (packages bochs, bochsbios) or syslinux: no column for it"
fi
touch "$done"
