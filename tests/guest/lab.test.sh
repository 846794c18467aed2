# A lab: four Linux guests in two VLANs on two switches that a trunk joins, the fourth under QEMU. All have
# addresses of one IP network, so that only the VLANs keep them apart.
#   one: A 10.0.0.1 (ne2k_pci, VLAN 10), C 10.0.0.3 (ne2k_isa, VLAN 20)
#   two: B 10.0.0.2 (pcnet, VLAN 10),    D 10.0.0.4 (QEMU, VLAN 20)
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$GUESTS/modules/8390p.ko"
qemu=$(command -v qemu-system-i386) || echo "no qemu-system-i386: the fourth guest is one of ours" >&2

switch=$BUILD/retrace-switch pids=''
end() { for p in $pids; do kill "$p" 2>/dev/null || true; done; }
trap end EXIT
trap 'exit 1' TERM INT HUP
"$switch" --port ten1,vlan=10 --port twenty1,vlan=20 --port trunk1,trunk=10+20 --uplink pcap,file=one.pcap --control ctl1 2>one.log &
pids="$pids $!"
for i in $(seq 100); do [ -S ctl1 ] && [ -S trunk1 ] && break; sleep 0.1; done
"$switch" --port ten2,vlan=10 --port twenty2,vlan=20 --control ctl2 \
    --uplink stream,addr.type=unix,addr.path=trunk1,trunk=10+20,name=trunk2 2>two.log &
pids="$pids $!"
for i in $(seq 100); do [ -S ctl2 ] && break; sleep 0.1; done

card() { # card NUMBER: what the guest's shell does first
    case $1 in
    1 | 4) echo 'insmod 8390.ko; insmod ne2k-pci.ko' ;;
    2) echo 'insmod mii.ko; insmod pcnet32.ko' ;;
    3) echo 'insmod 8390p.ko; insmod ne.ko io=0x300 irq=5' ;;
    esac
}
start() { # start NUMBER DEVICE SOCKET WORDS
    cat >$1.rts <<TEXT
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; $(card $1); ifconfig eth0 10.0.0.$1 netmask 255.255.255.0 up; echo U''P\n"
wait-serial "UP" 60
$4
TEXT
    timeout $((300 * SLOW)) "$retrace" -display none -m 64 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" \
        -append 'console=ttyS0 quiet' -icount shift=1 -script $1.rts -netdev switch,id=n,path=$3 \
        -device $2,netdev=n,mac=52:54:00:00:00:0$1 -object filter-dump,id=d,netdev=n,file=$1.pcap >$1.log 2>&1 &
    pids="$pids $!"
    eval "guest$1=$!"
}
# Reaches its own VLAN's other guest, by ping and by TCP; the others do not answer.
asks() { # asks OWN OTHER WRONG WRONG
    cat <<TEXT
serial "until ping -c 1 -W 1 10.0.0.$2; do :; done; echo REACH''ED\\n"
wait-serial "REACHED" 600
serial "ping -c 2 -W 1 10.0.0.$3; echo FIR''ST\\n"
wait-serial "100% packet loss" 60
wait-serial "FIRST" 20
serial "ping -c 2 -W 1 10.0.0.$4; echo SECO''ND\\n"
wait-serial "100% packet loss" 60
wait-serial "SECOND" 20
serial "until echo hello from $1 | nc 10.0.0.$2 7; do sleep 1; done; echo SE''NT\\n"
wait-serial "SENT" 600
info network
TEXT
}
answers() { # answers OTHER
    cat <<TEXT
serial "nc -l -p 7; echo HEA''RD\\n"
wait-serial "hello from $1" 3600
wait-serial "HEARD" 60
TEXT
}
start 1 ne2k_pci ten1 "$(asks 1 2 3 4)"
start 2 pcnet ten2 "$(answers 1)"
start 3 ne2k_isa,irq=5 twenty1 "$(asks 3 4 1 2)"
if [ -n "$qemu" ]; then
    mkfifo keys
    timeout $((300 * SLOW)) "$qemu" -M pc -accel tcg -m 64 -display none -monitor none -serial stdio -kernel "$GUESTS/vmlinuz" \
        -initrd "$GUESTS/initrd-modules.gz" -append 'console=ttyS0 quiet noapic nolapic' -netdev stream,id=n,addr.type=unix,addr.path=twenty2 \
        -device ne2k_pci,netdev=n,mac=52:54:00:00:00:04 <keys >4.log 2>qemu.log &
    pids="$pids $!"
    exec 8>keys
    for i in $(seq $((1400 * SLOW))); do grep -q "guest#" 4.log && break; sleep 0.2; done
    echo "cd /lib/modules; $(card 4); ifconfig eth0 10.0.0.4 netmask 255.255.255.0 up" >&8
    echo "ping -c 1 -W 1 10.0.0.1; ping -c 1 -W 1 10.0.0.2; nc -l -p 7" >&8
else
    start 4 ne2k_pci twenty2 "$(answers 3)"
fi
wait $guest1 || { cat 1.log; die "guest 1"; }
wait $guest3 || { cat 3.log; die "guest 3"; }
wait $guest2 || { cat 2.log; die "guest 2"; }
if [ -n "$qemu" ]; then
    for i in $(seq 50); do grep -q 'hello from 3' 4.log && break; sleep 0.1; done
    grep -q 'hello from 3' 4.log || { cat 4.log; die "guest 4 heard nothing"; }
    [ "$(grep -c '100% packet loss' 4.log)" = 2 ] || { cat 4.log; die "QEMU's guest reaches the other VLAN"; }
else
    wait $guest4 || { cat 4.log; die "guest 4"; }
fi

# What the switches counted: guests that were there spoke, nothing was dropped.
"$switch" --ask ctl1 show ports >ports1
"$switch" --ask ctl2 show ports >ports2
"$switch" --ask ctl2 show macs >macs2
cat one.log two.log ports1 ports2 macs2
for port in ten1 twenty1; do
    grep -q "port $port.1: left ([1-9][0-9]* in, [1-9][0-9]* out, 0 dropped)" one.log || die "the counters of $port"
done
grep -q '^trunk1.1: trunk=10+20, [1-9][0-9]* in .* 0 dropped' ports1 || die "the trunk"
grep -q '^trunk2: trunk=10+20, [1-9][0-9]* in .* 0 dropped' ports2 || die "the trunk's other end"

has() { # has FILE HEX: its bytes hold
    file=$1
    shift
    od -An -v -tx1 "$file" | tr -d ' \n' | grep -q "$*"
}
for guest in 1 2 3; do # what the guests heard: everything of their own VLAN, nothing of the other
    for other in 1 2 3 4; do
        if [ $((guest < 3)) = $((other < 3)) ]; then
            has $guest.pcap 52540000000$other || die "guest $guest did not hear guest $other"
        elif has $guest.pcap 52540000000$other; then
            die "guest $guest heard guest $other"
        fi
    done
done
for guest in 1 2 3 4; do # the first switch's file: each in its own VLAN, ARP among what they sent
    vlan=$([ $guest -lt 3 ] && echo 0a || echo 14) wrong=$([ $guest -lt 3 ] && echo 14 || echo 0a)
    has one.pcap 52540000000${guest}810000${vlan}0806 || die "no ARP from guest $guest in its VLAN"
    if has one.pcap 52540000000${guest}810000${wrong}; then die "guest $guest in the wrong VLAN"; fi
done
exit 0
