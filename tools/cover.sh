#!/bin/sh
# Line coverage of cpu/ and mmu/ by the unit tests. Usage: tools/cover.sh BUILD, a build made with --coverage.
# Prints a line per file with what is not covered, and the total; exit status 1 below the limit. With plain gcov.
# UNIT: test folders (default: cpu mmu machine debug). LIMIT: percent (default 95).
set -u
cd "$(dirname "$0")/.." || exit 2
build=$1
find "$build/obj" -name '*.gcda' -exec rm {} +
make -s BUILD="$build" UNIT="${UNIT:-cpu mmu machine debug}" check-unit || exit 1
# A header's lines count if one of its includers ran them.
gcov -t -r "$build"/obj/cpu/*.gcda "$build"/obj/cpu/fast/*.gcda "$build"/obj/mmu/*.gcda >"$build/cover.txt" 2>"$build/cover.log"
awk -F: -v limit="${LIMIT:-95}" '
    $2 + 0 == 0 { if ($3 == "Source") { file = $4; keep = file ~ /^(cpu|mmu)\// } next }
    !keep { next }
    { count = $1; gsub(/[ *]/, "", count); line = $2 + 0 }
    count == "-" { next }
    { key = file SUBSEP line; files[file] = 1; lines[key] = 1; if (line > last[file]) last[file] = line
      if (count !~ /^[#=]/) ran[key] = 1 }
    function missing(f,  text, k, from) {
        text = ""; from = 0
        for (k = 1; k <= last[f] + 1; k++) {
            bad = ((f, k) in lines) && !((f, k) in ran)
            if (bad) { if (!from) from = k; to = k }
            else if (from && ((f, k) in lines || k > last[f])) { text = text " " (from == to ? from : from "-" to); from = 0 }
        }
        return text
    }
    END {
        for (f in files) {
            n = hit = 0
            for (k = 1; k <= last[f]; k++) if ((f, k) in lines) { n++; if ((f, k) in ran) hit++ }
            all += n; good += hit
            printf "%6.1f%% %5d %s:%s\n", 100 * hit / n, n, f, missing(f) | "sort -k3"
        }
        close("sort -k3")
        printf "%6.1f%% %5d lines in all, limit %d%%\n", 100 * good / all, all, limit
        exit good * 100 < limit * all
    }' "$build/cover.txt"
