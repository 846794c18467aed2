# Servers of the guest's network that are files, sockets and commands of the host (guestfwd=), and what is left of a
# user-mode network after loadvm: the cable as it is now, old connections no harm, new ones at once.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$GUESTS/modules/ne2k-pci.ko"
"$GUESTS/busybox" true 2>/dev/null || { echo "this host does not run i386 programs" >&2; exit 77; }
"$retrace" -netdev help | grep -q '^user' || { echo "no user-mode network in this build" >&2; exit 77; }

port=$((20000 + $$ % 20000))
mkfifo hold
exec 9<>hold
echo 'from the host' >hold
"$GUESTS/busybox" nc -l -p $port <hold >heard.txt &
trap 'kill $! 2>/dev/null || true' EXIT
for i in $(seq 50); do grep -q "$(printf ':%04X 0*:0000 0A' $port)" /proc/net/tcp && break; sleep 0.1; done
cat >words.rts <<'TEXT'
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; insmod 8390.ko; insmod ne2k-pci.ko; ifconfig eth0 up; udhcpc -n -q -s /etc/udhcpc -i eth0\n"
wait-serial "DHCP gave 10.0.2.15" 30
serial "echo into the file | timeout 3 nc 10.0.2.100 7; echo FIL''ED\n"
wait-serial "FILED" 60
serial "(echo over to you; sleep 2) | timeout 4 nc 10.0.2.101 7; echo TALK''ED\n"
wait-serial "from the host" 60
wait-serial "TALKED" 60
serial "(echo said again; sleep 2) | timeout 4 nc 10.0.2.102 7; echo ECHO''ED\n"
wait-serial "said again" 60
wait-serial "ECHOED" 60
serial "while sleep 1; do echo still there; done | nc 10.0.2.102 7 & sleep 3; echo SAV''ED\n"
wait-serial "SAVED" 60
savevm s.snap
wait 5
set_link n0 off
loadvm s.snap
wait 2
info network
serial "ping -c 1 -W 1 10.0.2.2; echo UNPLUG''GED\n"
wait-serial "100% packet loss" 60
wait-serial "UNPLUGGED" 60
set_link n0 on
wait 2
serial "ping -c 2 10.0.2.2; echo PLUG''GED\n"
wait-serial "2 packets received" 60
wait-serial "PLUGGED" 60
serial "(echo a new one; sleep 2) | timeout 4 nc 10.0.2.102 7; echo NEW''ER\n"
wait-serial "a new one" 60
wait-serial "NEWER" 60
info usernet
TEXT
timeout $((300 * SLOW)) "$retrace" -display none -m 64 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" \
    -append 'console=ttyS0 quiet' -icount shift=1 -script words.rts -device ne2k_pci,netdev=n0 \
    -netdev "user,id=n0,guestfwd=tcp:10.0.2.100:7-file:filed.txt,guestfwd=tcp:10.0.2.101:7-tcp:127.0.0.1:$port,guestfwd=tcp:10.0.2.102:7-cmd:cat" \
    >out.txt 2>&1 || { cat out.txt; die "failed"; }
grep -q 'into the file' filed.txt || { cat out.txt; die "the file"; }
grep -q 'over to you' heard.txt || { cat out.txt; die "the socket"; }
grep -q 'model=ne2k_pci.*link=off' out.txt || { cat out.txt; die "loadvm plugged the cable in"; }
exit 0
