# A recorded session with traffic replays to the same hash and the same words on the serial port, with no network, no server
# and no user. Linux with each PCI card: DHCP, pings, a download, an upload; then a session that follows the wall clock.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$GUESTS/modules/8390.ko"
"$GUESTS/busybox" true 2>/dev/null || { echo "this host does not run i386 programs" >&2; exit 77; }
"$retrace" -netdev help | grep -q '^user' || { echo "no user-mode network in this build" >&2; exit 77; }

port=$((20000 + $$ % 20000))
mkdir www
head -c $((SLOW > 1 ? 300000 : 2000000)) /dev/urandom >www/data.bin
sum=$(sha256sum <www/data.bin | cut -d' ' -f1)

session() { # session NAME INSMOD OPTIONS...
    name=$1 insmod=$2
    shift 2
    "$GUESTS/busybox" httpd -f -p 127.0.0.1:$port -h www &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    cat >words.rts <<TEXT
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; $insmod; ifconfig eth0 up; udhcpc -n -q -s /etc/udhcpc -i eth0\n"
wait-serial "DHCP gave 10.0.2.15" 30
wait-serial "guest# " 20
serial "ping -c 2 10.0.2.2; wget -q -O - http://10.0.2.2:$port/data.bin | sha256sum; echo FETCH''ED\n"
wait-serial "2 packets received" 30
wait-serial "$sum" 300
wait-serial "FETCHED" 20
set_link n0 off
serial "ping -c 1 -W 1 10.0.2.2; echo LO''ST\n"
wait-serial "LOST" 20
TEXT
    machine="-display none -m 64 -kernel $GUESTS/vmlinuz -initrd $GUESTS/initrd-modules.gz -append console=ttyS0"
    timeout $((300 * SLOW)) "$retrace" $machine -icount shift=1,rr=record,rrfile=$name.log -script words.rts -serial file:$name.1 \
        -netdev user,id=n0,hostfwd=tcp:127.0.0.1:$((port + 1))-:80 "$@" >out.txt 2>&1 || { cat out.txt; die "failed: $name"; }
    kill $server
    wait $server 2>/dev/null || true
    [ "$(stat -c %s $name.log)" -gt "$(stat -c %s www/data.bin)" ] || die "$name.log does not hold the traffic"
    timeout $((300 * SLOW)) "$retrace" $machine -replay $name.log -serial file:$name.2 \
        -netdev user,id=n0,hostfwd=tcp:127.0.0.1:$((port + 1))-:80 "$@" >out.txt 2>&1 || { cat out.txt; die "replay: $name"; }
    grep -q 'replay: the same machine after [0-9]* inputs' out.txt || { cat out.txt; die "replay: $name"; }
    cmp $name.1 $name.2 || die "$name: the replay said something else"
}
session ne2k_pci 'insmod 8390.ko; insmod ne2k-pci.ko' -device ne2k_pci,netdev=n0
session pcnet 'insmod mii.ko; insmod pcnet32.ko' -device pcnet,netdev=n0

# Following the wall clock: every change of the rate is an input. Keys come through the monitor.
{
    sleep 2
    printf 'sendkey 3\nsendkey x\n'
    sleep 1
    printf 'quit\n'
} | timeout $((60 * SLOW)) "$retrace" -display none -fda "$BUILD/roms/tour.img" -snapshot -record wall.log -monitor stdio >out.txt 2>&1 ||
    { cat out.txt; die "failed: a session in real time"; }
timeout $((60 * SLOW)) "$retrace" -display none -fda "$BUILD/roms/tour.img" -snapshot -replay wall.log >out.txt 2>&1 || { cat out.txt; die "replay: wall"; }
grep -q 'replay: the same machine' out.txt || { cat out.txt; die "replay: wall"; }
# Another floppy is another machine, sooner or later.
head -c 1474560 /dev/zero >empty.img
"$retrace" -display none -fda empty.img -replay wall.log >out.txt 2>&1 && die "a replay with another floppy went unnoticed"
grep -q 'are the images those of the start' out.txt || { cat out.txt; die "another floppy"; }
exit 0
