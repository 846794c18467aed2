#!/bin/bash
# Guest benchmarks: Retrace's fast core against QEMU's TCG on the same kernel, initramfs and commands, in
# turn within one run. Usage: run.sh [BUILD] (or make bench). Environment:
#   RUNS=3          repetitions; the tables show medians, and (max - min) / median as spread
#   REFERENCE=yes   Retrace's reference core as a third row
#   RETRACE_GUESTS  where vmlinuz and initrd.gz are (default: build/guests; made where missing)
# Writes BUILD/bench.tsv (medians) and BUILD/bench-runs.tsv (every measurement).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-build}
guests=${RETRACE_GUESTS:-$here/../build/guests}
runs=${RUNS:-3}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

die() {
    echo "bench: $*" >&2
    exit 1
}
[ -x "$build/retrace" ] && [ -x "$build/bench-driver" ] || die "$build is not built; use make bench"
sh "$here/../tests/guest/prepare-linux.sh" "$guests" || die "there is no Linux guest (see above)"

common=(-m 128 -kernel "$guests/vmlinuz" -initrd "$guests/initrd.gz"
    -append 'console=ttyS0,115200 debug quiet earlyprintk=serial,ttyS0,115200' -net none -display none -serial stdio)
emulators=(retrace)
if command -v qemu-system-i386 >/dev/null 2>&1; then
    emulators+=(qemu)
else
    echo "bench: qemu-system-i386 is missing (package qemu-system-x86); measuring Retrace alone" >&2
fi
[ "${REFERENCE:-}" = yes ] && emulators+=(reference)

measure() { # measure EMULATOR: lines of bench-driver
    local socket=$tmp/monitor
    rm -f "$socket"
    case $1 in
    qemu) "$build/bench-driver" "$here/linux.plan" \
        qemu-system-i386 -accel tcg -M pc -cpu pentium2 -monitor none "${common[@]}" ;;
    retrace) "$build/bench-driver" -m "$socket" "$here/linux.plan" \
        "$build/retrace" -core fast -M pc -cpu pentium2 -monitor "unix:$socket,server,nowait" "${common[@]}" ;;
    reference) "$build/bench-driver" -m "$socket" "$here/linux.plan" \
        "$build/retrace" -core reference -M pc -cpu pentium2 -monitor "unix:$socket,server,nowait" "${common[@]}" ;;
    esac 2>"$tmp/stderr" || {
        cat "$tmp/stderr" >&2
        die "$1 did not finish the plan"
    }
}

printf 'row\temulator\trun\tseconds\tcpu_seconds\tinstructions\n' >"$build/bench-runs.tsv"
for ((run = 1; run <= runs; run++)); do
    for emulator in "${emulators[@]}"; do
        echo "bench: run $run of $runs, $emulator" >&2
        measure "$emulator" >"$tmp/lines" || exit 1
        while read -r row seconds cpu instructions; do
            printf '%s\t%s\t%d\t%s\t%s\t%s\n' "$row" "$emulator" "$run" "$seconds" "$cpu" "$instructions"
        done <"$tmp/lines" >>"$build/bench-runs.tsv"
    done
done

# Medians, in the order of the plan.
awk -F'\t' '
    function sort(list, n,  i, k, v) {
        for (i = 2; i <= n; i++) {
            v = list[i]
            for (k = i - 1; k >= 1 && list[k] > v; k--) list[k + 1] = list[k]
            list[k + 1] = v
        }
    }
    function median(values, key,  list, i) {
        for (i = 1; i <= count[key]; i++) list[i] = values[key, i] + 0
        sort(list, count[key])
        low = list[1]; high = list[count[key]]
        return list[int((count[key] + 1) / 2)]
    }
    NR == 1 { next }
    {
        key = $1 "\t" $2
        if (!count[key]++) order[++keys] = key
        seconds[key, count[key]] = $4; cpu[key, count[key]] = $5; icount[key, count[key]] = $6
    }
    END {
        print "row\temulator\tmedian_s\tspread_percent\tcpu_s\tinstructions\tmips\tratio_to_qemu\tcpu_ratio_to_qemu"
        for (k = 1; k <= keys; k++) {
            key = order[k]
            split(key, part, "\t")
            c[key] = median(cpu, key); n = median(icount, key); m[key] = median(seconds, key)
            spread = m[key] ? 100 * (high - low) / m[key] : 0
            line[k] = sprintf("%s\t%.3f\t%.0f\t%.3f\t%.0f\t%.0f", key, m[key], spread, c[key], n, c[key] ? n / c[key] / 1e6 : 0)
        }
        for (k = 1; k <= keys; k++) {
            split(order[k], part, "\t")
            q = part[1] "\tqemu"
            print line[k] "\t" (m[q] ? sprintf("%.2f", m[order[k]] / m[q]) : "-") \
                "\t" (c[q] ? sprintf("%.2f", c[order[k]] / c[q]) : "-")
        }
    }' "$build/bench-runs.tsv" >"$build/bench.tsv"

awk -F'\t' '
    NR == 1 { printf "%-12s %-10s %9s %7s %9s %15s %7s %9s %9s\n", "row", "emulator", "wall s", "spread", "cpu s", "instructions", "MIPS", "wall/qemu", "cpu/qemu"; next }
    { printf "%-12s %-10s %9.3f %6s%% %9.3f %15s %7s %9s %9s\n", $1, $2, $3, $4, $5, $6 ? $6 : "-", $7 ? $7 : "-", $8, $9 }' "$build/bench.tsv"
