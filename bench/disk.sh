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
# Lines "EMULATOR ROW WALL CPU ...".
sort -s -k 1,2 "$tmp/all" | awk '
    function median(list, n,  i, k, v) {
        for (i = 2; i <= n; i++) {
            v = list[i]
            for (k = i - 1; k >= 1 && list[k] > v; k--) list[k + 1] = list[k]
            list[k + 1] = v
        }
        return list[int((n + 1) / 2)]
    }
    function flush() {
        if (n) { wall[key] = median(w, n); cpu[key] = median(c, n) }
        n = 0
    }
    $1 " " $2 != key { flush(); key = $1 " " $2; if ($1 == "retrace") row[++rows] = $2 }
    { n++; w[n] = $3 + 0; c[n] = $4 + 0 }
    END {
        flush()
        printf "%-18s %9s %9s %9s %9s %12s %12s\n", "row", "wall s", "cpu s", "qemu wall", "qemu cpu", "rate wall", "rate cpu"
        for (i = 1; i <= rows; i++) {
            r = "retrace " row[i]; q = "qemu " row[i]
            printf "%-18s %9.3f %9.3f %9.3f %9.3f %12.2f %12.2f\n", row[i], wall[r], cpu[r], wall[q], cpu[q],
                wall[r] ? wall[q] / wall[r] : 0, cpu[r] ? cpu[q] / cpu[r] : 0
        }
    }'
