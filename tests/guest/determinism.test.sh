# The same run twice gives the same hash at the same instruction; saved at ten points of a FreeDOS boot
# and loaded in a new process, it ends with the hash of the unbroken run; both CPU tiers agree.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/fd144.img"
end=30000000
disk="-snapshot -fda $CORPUS/images/freedos/fd144.img"

hash_of() { grep icount out.txt | tail -n 1; }
run "run-to $end
info hash" $disk
whole=$(hash_of)
[ -n "$whole" ] || die "no hash"
run "run-to $end
info hash" $disk
[ "$(hash_of)" = "$whole" ] || die "two runs differ: $whole and $(hash_of)"
run "run-to $end
info hash" $disk -core reference
[ "$(hash_of)" = "$whole" ] || die "the tiers differ: $whole and $(hash_of)"

for i in 1 2 3 4 5 6 7 8 9 10; do
    at=$((end * i / 11))
    run "run-to $at
savevm at.rtv" $disk
    run "run-to $end
info hash" $disk -loadvm at.rtv
    [ "$(hash_of)" = "$whole" ] || die "saved at $at it ends with $(hash_of), not $whole"
done
