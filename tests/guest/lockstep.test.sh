# Both CPU tiers on real guests: the hash of the whole machine is equal at every one of many points.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/fd144.img" "$GUESTS/vmlinuz" "$GUESTS/initrd.gz"

compare() { # compare NAME STEP COUNT OPTIONS...
    name=$1 step=$2 count=$3
    shift 3
    words='' i=1
    while [ $i -le "$count" ]; do
        words="$words
run-to $((step * i))
info hash"
        i=$((i + 1))
    done
    run "$words" "$@" -core fast
    mv out.txt fast.txt
    run "$words" "$@" -core reference
    [ "$(grep -c icount out.txt)" = "$count" ] || die "$name: not all points were reached"
    diff fast.txt out.txt >diff.txt || { head -n 4 diff.txt; die "$name: the tiers differ"; }
}
compare tour 250000 40 -fda "$BUILD/roms/tour.img" -snapshot
compare freedos 333333 60 -snapshot -fda "$CORPUS/images/freedos/fd144.img"
compare elks 500000 30 -m 1 -snapshot -fda "$CORPUS/images/elks/elks-0.7.img"
compare linux 7000001 40 -m 64 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd.gz" -append console=ttyS0
