# As determinism.test.sh, from a hard disk: two runs, and a save and load in the middle of transfers.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/fdhd.img"
end=300000000
dos="-m 32 -snapshot -hda $CORPUS/images/freedos/fdhd.img"

hash_of() { grep icount out.txt | tail -n 1; }
saves=''
for i in 1 2 3 4 5 6; do
    saves="$saves
run-to $((end * (i + 2) / 10))
savevm at$i.rtv"
done
run "run-to $end
info hash" $dos
whole=$(hash_of)
[ -n "$whole" ] || die "no hash"
run "$saves
run-to $end
info hash" $dos
[ "$(hash_of)" = "$whole" ] || die "saving on the way changed the run: $whole and $(hash_of)"
for i in 1 2 3 4 5 6; do
    run "run-to $end
info hash" $dos -loadvm at$i.rtv
    [ "$(hash_of)" = "$whole" ] || die "loaded from point $i it ends with $(hash_of), not $whole"
done
