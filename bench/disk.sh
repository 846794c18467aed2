#!/bin/bash
# Disk benchmarks: 256 MiB read and written inside Linux, on Retrace and on QEMU's TCG with the same image, in turn within
# one run. Usage: disk.sh [BUILD] (or make bench-disk). Environment: RUNS=3; FORMAT=raw or qcow2; RETRACE_GUESTS as for
# run.sh. Shows medians: wall and processor seconds, and QEMU's time as a multiple of ours, which is how many times
# QEMU's rate we reach (wall, processor).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
guests=${RETRACE_GUESTS:-$here/../build/guests}
format=${FORMAT:-raw}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
die() {
    echo "bench: $*" >&2
    exit 1
}
[ -x "$build/retrace" ] && [ -x "$build/bench-driver" ] || die "$build is not built; use make bench-disk"
command -v qemu-system-i386 >/dev/null || die "qemu-system-i386 is missing (package qemu-system-x86)"
sh "$here/../tests/guest/prepare-linux.sh" "$guests" || die "there is no Linux guest (see above)"

head -c 268435456 /dev/urandom >"$tmp/disk.raw"
image=$tmp/disk.$format
[ "$format" = raw ] || "$build/retrace-img" convert -O "$format" "$tmp/disk.raw" "$image" || exit 1
common=(-m 512 -M pc -cpu pentium2 -kernel "$guests/vmlinuz" -initrd "$guests/initrd-modules.gz" -append 'console=ttyS0 quiet'
    -drive "file=$image,format=$format,index=0" -net none -display none -serial stdio -monitor none)
for ((run = 1; run <= ${RUNS:-3}; run++)); do
    for e in retrace qemu; do
        command=("$build/retrace" -core fast)
        [ $e = retrace ] || command=(qemu-system-i386 -accel tcg)
        echo "bench: run $run, $e" >&2
        "$build/bench-driver" "$here/disk.plan" "${command[@]}" "${common[@]}" 2>"$tmp/stderr" | sed "s/^/$e /" >>"$tmp/all"
        [ "${PIPESTATUS[0]}" = 0 ] || { cat "$tmp/stderr" >&2; die "$e did not finish the plan"; }
    done
done
sort -s -k 1,2 "$tmp/all" | awk -f "$here/rates.awk"
