#!/bin/sh
# Guest tests: every scripts/*.rts on the emulator it was written for, then every *.test.sh.
# Usage: run.sh BUILD [NAME...]. A script's first lines say how to start:
#   # args: OPTIONS      with @corpus @build @guests @tmp replaced
#   # needs: FILE...     skipped, with a message, where one is missing
#   # timeout: SECONDS   of wall time (default 120)
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
corpus=${RETRACE_CORPUS:-$here/../../../shared/corpus}
guests=${RETRACE_GUESTS:-$here/../../build/guests}
slow=${RETRACE_SLOW:-1} # sanitizer builds: allow more wall time
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export BUILD="$build" CORPUS="$corpus" GUESTS="$guests" SLOW="$slow"
passed=0 failed=0 skipped=0

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

# The Linux guest is made once, by whoever comes first.
if ! sh "$here/prepare-linux.sh" "$guests" 2>"$tmp/prepare.log"; then
    echo "guest tests: no Linux guest ($(tail -n 1 "$tmp/prepare.log"))"
fi

for script in "$here"/scripts/*.rts; do
    name=$(basename "$script" .rts)
    wanted "$name" || continue
    missing=''
    for f in $(expand "$(header needs "$script")"); do [ -e "$f" ] || missing="$missing $f"; done
    if [ -n "$missing" ]; then
        skipped=$((skipped + 1))
        echo "skipped $name: no$missing"
        continue
    fi
    expand "$(cat "$script")" >"$tmp/$name.rts"
    limit=$(header timeout "$script")
    start=$(date +%s)
    if eval "timeout $((${limit:-120} * slow)) '$build/retrace' $(expand "$(header args "$script")") -script '$tmp/$name.rts'" >"$tmp/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name ($(($(date +%s) - start)) s)"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        tail -n 40 "$tmp/$name.log"
    fi
done

for test in "$here"/*.test.sh; do
    [ -e "$test" ] || continue
    name=$(basename "$test" .test.sh)
    wanted "$name" || continue
    mkdir -p "$tmp/$name"
    (cd "$tmp/$name" && timeout $((600 * slow)) sh "$test") >"$tmp/$name.log" 2>&1
    case $? in
    0) passed=$((passed + 1)); echo "ok      $name" ;;
    77) skipped=$((skipped + 1)); echo "skipped $name: $(tail -n 1 "$tmp/$name.log")" ;;
    *) failed=$((failed + 1)); echo "FAILED  $name"; tail -n 40 "$tmp/$name.log" ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
