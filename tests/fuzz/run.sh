#!/bin/sh
# Fuzzes each target for so many seconds; ends with the first finding. What libFuzzer learns is kept in
# BUILD/corpus and goes on from there the next time. Usage: run.sh BUILD SECONDS NAME...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
shift 2
export ASAN_OPTIONS="quarantine_size_mb=16:${ASAN_OPTIONS:-}"
for name; do
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    [ ! -e "$here/seeds_$name.sh" ] || sh "$here/seeds_$name.sh" "$build" "$corpus"
    echo "fuzz $name, $seconds s"
    "$build/fuzz_$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=1024 -malloc_limit_mb=512 -max_len=65536 \
        -verbosity=0 -print_funcs=0 -print_final_stats=1 -artifact_prefix="$build/$name-" "$corpus"
done
