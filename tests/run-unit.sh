#!/bin/sh
# Runs every unit-test program, two at a time (RETRACE_JOBS=N: so many), and closes with a count. Usage: run-unit.sh BUILD PROGRAM...
# RUNNER: what runs the programs of a cross build, for example qemu-s390x-static -L /usr/s390x-linux-gnu.
build=$1
shift
mkdir -p "$build/log"
if [ -n "${RETRACE_UNIT_LINES:-}" ]; then # started below, for one program
    log=$build/log/$(basename "$1").log
    # shellcheck disable=SC2086
    if ${RUNNER:-} "$1" >"$log" 2>&1; then
        lines=$(echo passed; grep -E '^skipped' "$log" | head -3)
    else
        lines=$(echo "FAILED: $1"; grep -vE '\[ +(RUN|OK) ' "$log" | tail -40)
    fi
    printf '%s\n' "$lines" >>"$RETRACE_UNIT_LINES"
    exit 0
fi

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
printf '%s\n' "$@" | RETRACE_UNIT_LINES=$lines xargs -P "${RETRACE_JOBS:-2}" -n 1 sh "$0" "$build"
grep -v '^passed$' "$lines"
passed=$(grep -c '^passed$' "$lines")
echo "$passed passed, $(grep -c '^FAILED: ' "$lines") failed"
[ "$passed" = $# ]
