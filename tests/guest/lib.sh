# Shared by the *.test.sh files; sourced. They run in an empty directory of their own, with BUILD, CORPUS,
# GUESTS and SLOW set by run.sh. Exit 77 skips.
set -eu
retrace=$BUILD/retrace
die() {
    echo "$*" >&2
    exit 1
}
need() { # need FILE...: skip where one is missing
    for f; do
        [ -e "$f" ] || { echo "no $f" >&2; exit 77; }
    done
}
tool() { # tool NAME...: skip where a program is missing
    for t; do
        command -v "$t" >/dev/null 2>&1 || { echo "no $t (./configure --install-deps)" >&2; exit 77; }
    done
}
run() { # run SCRIPT-TEXT OPTIONS...: runs the words, output in out.txt
    printf '%s\n' "$1" >words.rts
    shift
    timeout $((300 * SLOW)) "$retrace" -display none -icount shift=2 -rtc base=2026-01-31T12:00:00 "$@" -script words.rts >out.txt 2>&1 ||
        { cat out.txt; die "failed: retrace $*"; }
}
