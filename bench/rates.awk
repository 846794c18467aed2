# Sorted lines "EMULATOR ROW WALL CPU ..." of retrace and qemu to medians, and QEMU's time as a multiple of ours.

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
}