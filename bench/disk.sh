#!/bin/bash
# Disk benchmarks: 256 MiB read and written inside Linux, on Retrace and on QEMU's TCG with the same image, in turn within
# one run. Usage: disk.sh [BUILD] (or make bench-disk). Environment: RUNS=3; FORMAT=raw or qcow2; RETRACE_GUESTS as for
# run.sh. Shows medians: wall and processor seconds, and QEMU's time as a multiple of ours, which is how many times
# QEMU's rate we reach (wall, processor).
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
format=${FORMAT:-raw}

head -c 268435456 /dev/urandom >"$tmp/disk.raw"
image=$tmp/disk.$format
[ "$format" = raw ] || "$build/retrace-img" convert -O "$format" "$tmp/disk.raw" "$image" || exit 1
common=(-m 512 -M pc -cpu pentium2 -kernel "$guests/vmlinuz" -initrd "$guests/initrd-modules.gz" -append 'console=ttyS0 quiet'
    -drive "file=$image,format=$format,index=0" -net none -display none -serial stdio -monitor none)
for ((run = 1; run <= ${RUNS:-3}; run++)); do
    in_turn $run "$here/disk.plan" "${common[@]}"
done
rates
