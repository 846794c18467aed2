# bench.csv as tables that people read. A ratio is the other's time by Retrace's: 2.00 is twice as fast as it.
# It is taken from processor time, which a busy host disturbs less than the clock on the wall; for boot-dos and
# boot-linux both are shown.
function ratio(row, other, column) {
    return (row, "retrace", column) in v && (row, other, column) in v && v[row, "retrace", column] > 0 \
        ? v[row, other, column] / v[row, "retrace", column] : ""
}
function show(value, form) {
    return value == "" ? "-" : sprintf(form, value)
}
function cell(row, emulator) {
    return (row, emulator, 6) in v ? sprintf("%.3f +-%.0f%%", v[row, emulator, 6], v[row, emulator, 7] / 2) : "-"
}
BEGIN { FS = "," }
NR > 1 {
    if (!seen[$1]++) order[++rows] = $1
    for (i = 3; i <= NF; i++) if ($i != "") v[$1, $2, i] = $i + 0
}
END {
    print "processor seconds (median, half the spread); ratios: the other's time by Retrace's"
    line = "| %-16s | %14s | %14s | %14s | %14s | %6s | %6s | %6s | %6s | %6s | %6s |\n"
    printf line, "row", "retrace", "qemu", "bochs", "native", "x qemu", "wall", "xbochs", "native", "MIPS", "MiB"
    print "|---|---|---|---|---|---|---|---|---|---|---|"
    for (r = 1; r <= rows; r++) {
        row = order[r]
        q = ratio(row, "qemu", 6); b = ratio(row, "bochs", 6); n = ratio(row, "native", 6)
        printf line, row, cell(row, "retrace"), cell(row, "qemu"), cell(row, "bochs"), cell(row, "native"), show(q, "%.2f"), \
            show(ratio(row, "qemu", 4), "%.2f"), show(b, "%.2f"), show(n, "%.3f"), show(v[row, "retrace", 9], "%.0f"), \
            show(v[row, "retrace", 10] / 1024, "%.0f")
        if (row ~ /^(idle|memory|trace)|x10$/) continue
        if (q) { qemu += log(q); qemus++; if (!least_q || q < least_q) { least_q = q; least_q_row = row } }
        if (b) { bochs += log(b); bochses++; if (!least_b || b < least_b) { least_b = b; least_b_row = row } }
        if (n) { native += log(n); natives++ }
    }
    print ""
    if (qemus) printf "geometric mean to qemu: %.2f; least: %.2f (%s)\n", exp(qemu / qemus), least_q, least_q_row
    if (bochses) printf "geometric mean to bochs: %.2f; least: %.2f (%s)\n", exp(bochs / bochses), least_b, least_b_row
    if (natives) printf "geometric mean to native: 1/%.1f\n", exp(-native / natives)
    for (r = 1; r <= rows; r++) {
        row = order[r]
        for (e = 1; e <= split("retrace qemu", name, " "); e++) {
            if (row ~ /^idle/ && (row, name[e], 4) in v)
                printf "%s, %s: %.2f%% of a core\n", row, name[e], 100 * v[row, name[e], 6] / v[row, name[e], 4]
        }
        if (row ~ /-x10$/) {
            base = substr(row, 1, length(row) - 4)
            if ((base, "retrace", 9) in v && v[row, "retrace", 9])
                printf "%s: an instruction costs %.2f times that of %s\n", row, v[base, "retrace", 9] / v[row, "retrace", 9], base
        }
        if (row ~ /^trace-break/ && v["trace-none", "retrace", 6])
            printf "%s: %.2f times the time of trace-none\n", row, v[row, "retrace", 6] / v["trace-none", "retrace", 6]
        if (row == "memory" && v[row, "retrace", 10])
            printf "memory: peak %.0f MiB with a guest of 64 MiB\n", v[row, "retrace", 10] / 1024
    }
}
