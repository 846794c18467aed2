#!/bin/sh
# Fuzzes qcow2 for TIME seconds in one process; an input that takes TIMEOUT (25) seconds is a finding.
# Usage: run.sh BUILD [TIME]. Seeds are small images of every kind,
# made here; what libFuzzer finds is kept in BUILD/fuzz/qcow2 and goes on from there the next time.
set -eu
build=$1 time=${2:-60}
img=$build/retrace-img dir=$build/fuzz
mkdir -p "$dir/seeds" "$dir/qcow2" "$dir/findings"
rm -f "$dir"/seeds/*

add() { # add NAME OPTIONS: a small image with the program that opens it for everything
    name=$1 base=$dir/work
    shift
    rm -f "$base" "$base.raw"
    "$img" create -q -f qcow2 "$@" "$base" 100k
    printf 'retrace%.0s' 1 2 3 4 5 6 7 8 9 >"$base.raw"
    truncate -s 20k "$base.raw"
    for i in 1 2 3; do
        case $i in
        2) "$img" snapshot -c one "$base" && "$img" resize -q "$base" 120k ||: ;;
        3) "$img" convert -q -c -O qcow2 "$@" "$base.raw" "$base" ;;
        esac
        { cat "$base"; printf '\013\007\000\000\003\004\012\020\004\000\003\002\007\000\010\001\002\010'; } >"$dir/seeds/$name$i"
    done
    rm -f "$base" "$base.raw"
}
add v3 -o cluster_size=512
add v2 -o cluster_size=512,compat=0.10
add wide -o cluster_size=512,refcount_bits=64
add narrow -o cluster_size=512,refcount_bits=1
add large -o cluster_size=4k
add zstd -o cluster_size=512,compression_type=zstd || :
add prealloc -o cluster_size=512,preallocation=metadata

ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}
export ASAN_OPTIONS
exec "$dir/fuzz_qcow2" -max_total_time="$time" -timeout="${TIMEOUT:-25}" -rss_limit_mb=512 -malloc_limit_mb=128 -max_len=65536 \
    -artifact_prefix="$dir/findings/" -print_final_stats=1 "$dir/qcow2" "$dir/seeds"
