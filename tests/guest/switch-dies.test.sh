# The switch dies while a guest uses it: the guest's card loses its link, and gets it back with the next switch.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$GUESTS/modules/pcnet32.ko"

switch=$BUILD/retrace-switch mac=52:54:00:00:00:01 pid=''
trap 'kill $pid 2>/dev/null || true' EXIT
trap 'exit 1' TERM INT HUP
start() {
    "$switch" --port lan --control ctl 2>>switch.log &
    pid=$!
}
seen() { "$switch" --ask ctl show macs 2>/dev/null | grep -q $mac; }
start
for i in $(seq 100); do [ -S ctl ] && break; sleep 0.1; done
cat >words.rts <<'TEXT'
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; insmod mii.ko; insmod pcnet32.ko; ifconfig eth0 10.0.0.1 netmask 255.255.255.0 up; ping 10.0.0.2 >/dev/null 2>&1 &\n"
serial "is() { until [ $(cat /sys/class/net/eth0/carrier) = $1 ]; do sleep 1; done; echo LI''NK $1; }; is 1; is 0; is 1\n"
wait-serial "LINK 1" 1000
wait-serial "LINK 0" 1000000
info network
wait-serial "LINK 1" 1000000
info network
TEXT
timeout $((300 * SLOW)) "$retrace" -display none -m 64 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" \
    -append 'console=ttyS0 quiet' -icount shift=1 -script words.rts -netdev switch,id=n,path=lan -device pcnet,netdev=n,mac=$mac >out.txt 2>&1 &
guest=$!
for i in $(seq $((600 * SLOW))); do seen && break; sleep 0.2; done
seen || { cat out.txt; die "the guest did not reach the switch"; }
kill -9 $pid
sleep 4
start # a name is left behind: it is taken over
wait $guest || { cat out.txt; die "the guest's link"; }
grep -q 'not connected,link=off' out.txt || { cat out.txt; die "info network"; }
[ "$(grep -c 'the other side is gone; trying again' out.txt)" = 1 ] || { cat out.txt; die "more or less than one line"; }
[ "$(grep -c 'connected again' out.txt)" = 1 ] || { cat out.txt; die "more or less than one line about the return"; }
exit 0
