#!/bin/sh
# Runs every unit-test program and closes with a count. Usage: run-unit.sh BUILD PROGRAM...
# RUNNER: what runs the programs of a cross build, for example qemu-s390x-static -L /usr/s390x-linux-gnu.
build=$1
shift
passed=0 failed=0
mkdir -p "$build/log"
for t; do
    log=$build/log/$(basename "$t").log
    # shellcheck disable=SC2086
    if ${RUNNER:-} "$t" >"$log" 2>&1; then
        passed=$((passed + 1))
        grep -E '^skipped' "$log" | head -3
    else
        failed=$((failed + 1))
        echo "FAILED: $t"
        grep -vE '\[ +(RUN|OK) ' "$log" | tail -40
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
