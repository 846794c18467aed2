# From every measurement (bench-runs.csv) to one line per row and emulator (bench.csv).
function sort(list, n,  i, k, v) {
    for (i = 2; i <= n; i++) {
        v = list[i]
        for (k = i - 1; k >= 1 && list[k] > v; k--) list[k + 1] = list[k]
        list[k + 1] = v
    }
}
# The median of a column; leaves low and high. "" where nothing was measured.
function median(key, column,  list, n, i) {
    n = 0
    for (i = 1; i <= count[key]; i++)
        if (value[key, column, i] != "") list[++n] = value[key, column, i] + 0
    if (!n) return ""
    sort(list, n)
    low = list[1]; high = list[n]
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
function per(a, b, form) {
    return a != "" && b != "" && b > 0 ? sprintf(form, a / b) : ""
}
BEGIN {
    FS = ","
    print "row,emulator,runs,seconds,spread_percent,cpu_seconds,cpu_spread_percent,instructions,mips,peak_kib,host_instructions_each,host_branch_misses_each"
}
NR > 1 {
    key = $1 "," $2
    if (!count[key]++) order[++keys] = key
    for (i = 4; i <= 9; i++) value[key, i, count[key]] = $i
}
END {
    for (k = 1; k <= keys; k++) {
        key = order[k]
        s = median(key, 4); spread = s > 0 ? 100 * (high - low) / s : 0
        c = median(key, 5); cpu_spread = c > 0 ? 100 * (high - low) / c : 0
        n = median(key, 6)
        printf "%s,%d,%.4f,%.0f,%.4f,%.0f,%.0f,%s,%s,%s,%s\n", key, count[key], s, spread, c, cpu_spread, n, \
            n ? per(n / 1e6, c, "%.0f") : "", median(key, 7), per(median(key, 8), n, "%.2f"), per(median(key, 9), n, "%.4f")
    }
}
