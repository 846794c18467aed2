#!/bin/sh
# Small images of every kind, each with the program that opens it for everything: seeds_qcow2.sh BUILD DIRECTORY
set -eu
img=$1/retrace-img dir=$2

add() { # add NAME OPTIONS: a small image with the program that opens it for everything
    name=$1 base=$dir/../work
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
        { cat "$base"; printf '\013\007\000\000\003\004\012\020\004\000\003\002\007\000\010\001\002\010'; } >"$dir/seed-$name$i"
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
