#!/bin/bash
# How fast images are made, opened, converted and committed, by retrace-img and qemu-img in turn. Usage: images.sh BUILD.
# RUNS (5) repetitions; medians of wall and processor time. SIZE_MIB (512): data in the image that is converted.
set -u
build=$(cd "${1:-build}" && pwd) runs=${RUNS:-5} mib=${SIZE_MIB:-512}
img=$build/retrace-img
dir=$(mktemp -d "${TMPDIR:-/tmp}/images-XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
command -v qemu-img >/dev/null || { echo "images: qemu-img is missing (package qemu-utils)" >&2; exit 1; }
TIMEFORMAT='%R %U %S'

measure() { # measure ROW PROGRAM COMMAND...: a line of row, program, wall and processor seconds
    local row=$1 program=$2 t
    shift 2
    t=$({ time "$@" >/dev/null 2>err; } 2>&1) || { cat err; exit 1; }
    read -r wall user sys <<<"$t"
    echo "$row $program $wall $(echo "$user $sys" | awk '{print $1 + $2}')" >>lines
}
pair() { # pair ROW PREPARE ARGUMENTS...: both programs, in turn
    local row=$1 prepare=$2
    shift 2
    for ((i = 0; i < runs; i++)); do
        for p in retrace qemu; do
            eval "$prepare"
            if [ $p = retrace ]; then measure "$row" retrace "$img" "$@"; else measure "$row" qemu qemu-img "$@"; fi
        done
    done
}

echo "images: $mib MiB of data, $runs runs" >&2
head -c "${mib}M" /dev/urandom >data.raw
"$img" create -q -f raw disk.raw $((mib * 2))M
for ((k = 0; k < mib; k += 64)); do
    dd if=data.raw of=disk.raw bs=1M skip=$k seek=$((2 * k)) count=64 conv=notrunc status=none
done
rm data.raw
"$img" convert -O qcow2 disk.raw disk.qcow2
for size in 1G 1T 16T; do "$img" create -q -f qcow2 "size-$size.qcow2" $size; done

for size in 1G 1T 16T; do pair "create-on-$size" 'rm -f clone.qcow2' create -f qcow2 -b "size-$size.qcow2" -F qcow2 clone.qcow2; done
for ((i = 0; i < runs; i++)); do
    rm -f clone.qcow2 size-16T.qcow2.clones
    measure clone-of-16T retrace "$img" clone --linked size-16T.qcow2 clone.qcow2
done
rm -f size-16T.qcow2.clones
pair open-1T : info size-1T.qcow2
pair raw-to-qcow2 'rm -f out' convert -f raw -O qcow2 disk.raw out
pair qcow2-to-raw 'rm -f out' convert -f qcow2 -O raw disk.qcow2 out
pair qcow2-to-qcow2 'rm -f out' convert -f qcow2 -O qcow2 disk.qcow2 out
dd if=disk.raw of=small.raw bs=1M count=64 status=none
tr "\\000-\\377" "\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017\\000-\\017" <small.raw >packed.raw
pair compress "rm -f out" convert -c -f raw -O qcow2 packed.raw out
rm -f out
"$img" create -q -f qcow2 base.qcow2 $((mib * 2))M
prepare='rm -f top.qcow2 base.qcow2; "$img" create -q -f qcow2 base.qcow2 $((mib * 2))M; cp --reflink=auto disk.qcow2 top.qcow2; qemu-img rebase -u -b base.qcow2 -F qcow2 top.qcow2; sync'
pair commit "$prepare" commit -q top.qcow2
pair check : check -q disk.qcow2
pair compare : compare -q disk.raw disk.qcow2

awk '
    function median(key, v,  list, i, j, n, t) {
        n = count[key]
        for (i = 1; i <= n; i++) list[i] = v[key, i]
        for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return list[int((n + 1) / 2)]
    }
    { key = $1 " " $2; if (!count[key]++) order[++rows] = key; wall[key, count[key]] = $3 + 0; cpu[key, count[key]] = $4 + 0 }
    END {
        printf "%-16s %-8s %9s %9s %10s %9s\n", "row", "program", "wall s", "cpu s", "wall/qemu", "cpu/qemu"
        for (i = 1; i <= rows; i++) {
            split(order[i], part, " ")
            q = part[1] " qemu"
            w = median(order[i], wall); c = median(order[i], cpu)
            qw = (q in count) ? median(q, wall) : 0; qc = (q in count) ? median(q, cpu) : 0
            printf "%-16s %-8s %9.3f %9.3f %10s %9s\n", part[1], part[2], w, c, qw ? sprintf("%.2f", w / qw) : "-", qc ? sprintf("%.2f", c / qc) : "-"
        }
    }' lines
# Opening takes how much memory?
command -v /usr/bin/time >/dev/null && /usr/bin/time -f "open-1T retrace: %M KiB resident at most" "$img" info size-1T.qcow2 >/dev/null
exit 0
