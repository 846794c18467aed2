#!/bin/sh
# Guest tests: every *.test.sh, and every scripts/*.rts on the emulator it was written for.
# Usage: run.sh BUILD [NAME...]. A script's first lines say how to start:
#   # args: OPTIONS      with @corpus @build @guests @tmp replaced
#   # needs: FILE...     skipped, with a message, where one is missing
#   # timeout: SECONDS   of wall time (default 120)
#
# Two tests run at a time (RETRACE_JOBS=N: so many), the longest kind first.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
corpus=${RETRACE_CORPUS:-$here/../../../shared/corpus}
guests=${RETRACE_GUESTS:-$here/../../build/guests}
slow=${RETRACE_SLOW:-1} # sanitizer builds: allow more wall time
tmp=${RETRACE_TMP:-$(mktemp -d)}
export BUILD="$build" CORPUS="$corpus" GUESTS="$guests" SLOW="$slow"

expand() {
    printf '%s' "$1" | sed -e "s|@corpus|$corpus|g" -e "s|@build|$build|g" -e "s|@guests|$guests|g" -e "s|@tmp|$tmp|g"
}
header() { sed -n "s/^# $1: //p" "$2" | head -n 1; }
wanted() { # wanted NAME: is it among the arguments, if there are any
    [ -z "$names" ] && return 0
    for n in $names; do case $1 in $n*) return 0 ;; esac; done
    return 1
}
names=$*

# One test: its line, and the end of what it said where it failed.
run_script() { # run_script SCRIPT
    name=$(basename "$1" .rts)
    missing=''
    for f in $(expand "$(header needs "$1")"); do [ -e "$f" ] || missing="$missing $f"; done
    [ -z "$missing" ] || { echo "skipped $name: no$missing"; return; }
    expand "$(cat "$1")" >"$tmp/$name.rts"
    limit=$(header timeout "$1")
    eval "timeout $((${limit:-120} * slow)) '$build/retrace' $(expand "$(header args "$1")") -script '$tmp/$name.rts'" >"$tmp/$name.log" 2>&1
    verdict $?
}
run_test() { # run_test FILE
    name=$(basename "$1" .test.sh)
    mkdir -p "$tmp/$name"
    (cd "$tmp/$name" && timeout $((600 * slow)) sh "$1") >"$tmp/$name.log" 2>&1
    verdict $?
}
verdict() { # verdict STATUS: of the test called $name
    time="$(($(date +%s) - start)) s"
    case $1 in
    0) echo "ok      $name ($time)" ;;
    77) echo "skipped $name: $(tail -n 1 "$tmp/$name.log")" ;;
    *) echo "FAILED  $name ($time)
$(tail -n 40 "$tmp/$name.log")" ;;
    esac
}
if [ -n "${RETRACE_TMP:-}" ]; then # started below, for one test
    start=$(date +%s)
    case $1 in *.rts) line=$(run_script "$1") ;; *) line=$(run_test "$1") ;; esac
    printf '%s\n' "$line"
    exit 0
fi

trap 'rm -rf "$tmp"' EXIT
# The Linux guest is made once, by whoever comes first.
if ! sh "$here/prepare-linux.sh" "$guests" 2>"$tmp/prepare.log"; then
    echo "guest tests: no Linux guest ($(tail -n 1 "$tmp/prepare.log"))"
fi
for test in "$here"/*.test.sh "$here"/scripts/*.rts; do
    name=$(basename "$test")
    ! wanted "${name%%.*}" || echo "$test"
done >"$tmp/list"
RETRACE_TMP=$tmp xargs -P "${RETRACE_JOBS:-2}" -n 1 sh "$0" "$build" <"$tmp/list" | tee "$tmp/lines"
count() { grep -c "^$1 " "$tmp/lines"; }
echo "$(count ok) passed, $(count FAILED) failed, $(count skipped) skipped"
[ "$(grep -cE '^(ok|FAILED|skipped) ' "$tmp/lines")" = "$(grep -c . "$tmp/list")" ] && [ "$(count FAILED)" = 0 ]
