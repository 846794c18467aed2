# As determinism.test.sh, for a Linux boot: two runs, and a save and load at ten points.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd.gz"
end=1500000000
linux="-m 64 -kernel $GUESTS/vmlinuz -initrd $GUESTS/initrd.gz -append console=ttyS0"

hash_of() { grep icount out.txt | tail -n 1; }
saves=''
for i in 1 2 3 4 5 6 7 8 9 10; do
    saves="$saves
run-to $((end * i / 11))
savevm at$i.rtv"
done
run "run-to $end
info hash" $linux
whole=$(hash_of)
[ -n "$whole" ] || die "no hash"
run "$saves
run-to $end
info hash" $linux
[ "$(hash_of)" = "$whole" ] || die "saving on the way changed the run: $whole and $(hash_of)"
for i in 1 2 3 4 5 6 7 8 9 10; do
    run "run-to $end
info hash" $linux -loadvm at$i.rtv
    [ "$(hash_of)" = "$whole" ] || die "loaded from point $i it ends with $(hash_of), not $whole"
    rm at$i.rtv
done
