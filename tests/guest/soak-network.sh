#!/bin/sh
# A day (HOURS=24) of mixed traffic in virtual time on both PCI cards at once, each with a user-mode network of its own: every
# ten minutes pings of IPv4 and IPv6, a file by UDP (TFTP), a download and an upload whose sums the guest and the host take.
# Says at the end how the emulator's memory grew and that no card is stuck. Not part of make check. Usage: soak-network.sh BUILD
# (make soak).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
GUESTS=${RETRACE_GUESTS:-$here/../../build/guests}
rounds=$((${HOURS:-24} * 6))
tmp=$(mktemp -d)
server='' retrace=''
trap 'kill $server $retrace 2>/dev/null || true; rm -rf "$tmp"' EXIT
trap 'exit 1' TERM INT HUP
sh "$here/prepare-linux.sh" "$GUESTS"
cd "$tmp"

. "$here/http.sh"
text_file 1
serve_files

# "both" of the guest's shell runs its words with the gateway of one network, then of the other.
cat >words.rts <<TEXT
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; insmod 8390.ko; insmod ne2k-pci.ko; insmod mii.ko; insmod pcnet32.ko; cd /tmp; echo load''ed\n"
wait-serial "loaded" 20
serial "for i in 0 1; do ifconfig eth\$i up; udhcpc -n -q -s /etc/udhcpc -i eth\$i; done; sleep 8; echo con''figured\n"
wait-serial "configured" 60
serial "pings() { ping -q -c 3 -i 0.1 -s 1400 10.0.\$1.2; ping -6 -q -c 2 -i 0.1 fd00:\$1::2; }\n"
serial "udp() { tftp -g -r big.txt -l udp.txt 10.0.\$1.2; md5sum <udp.txt; }\n"
serial "tcp() { wget -q -O tcp.txt http://10.0.\$1.2:$port/big.txt; md5sum <tcp.txt; wget -q -O - --post-file=tcp.txt http://10.0.\$1.2:$port/cgi-bin/sum; }\n"
serial "round() { for n in 2 3; do echo pings: \$(pings \$n | grep -c ' 0% packet loss'); udp \$n; tcp \$n; done; rm *.txt; sleep 600; echo ROUND \$1 OV''ER; }\n"
TEXT
for i in $(seq $rounds); do
    printf 'serial "round %s\\n"\n' $i
    for n in 2 3; do
        printf 'wait-serial "%s" 300\n' 'pings: 2' "$sum" "$sum" "$sum"
    done
    echo "wait-serial \"ROUND $i OVER\" 1000"
    echo "info network"
done >>words.rts
cat >>words.rts <<'TEXT'
serial "cat /proc/uptime; ifconfig eth0; ifconfig eth1; dmesg | tail -n 3; echo SO''AKED\n"
wait-serial "SOAKED" 60
TEXT
"$build/retrace" -display none -m 64 -icount shift=1 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" \
    -append 'console=ttyS0 quiet' -script words.rts -serial file:serial.txt \
    -netdev "user,id=n0,net=10.0.2.0/24,ipv6-net=fd00:2::/64,tftp=www" -device ne2k_pci,netdev=n0 \
    -netdev "user,id=n1,net=10.0.3.0/24,ipv6-net=fd00:3::/64,tftp=www" -device pcnet,netdev=n1 >out.txt 2>&1 &
retrace=$!
seen=0
while kill -0 $retrace 2>/dev/null; do # a line now and then
    now=$(grep -ac '^ROUND .* OVER' serial.txt 2>/dev/null) || now=0
    if [ "$now" -ge "$seen" ] && [ "$now" -gt 0 ]; then
        memory() { sed -n "s/^$1:[[:blank:]]*//p" /proc/$retrace/status; }
        echo "$now of $rounds rounds: $(memory VmRSS), at most $(memory VmHWM), $(ls /proc/$retrace/fd | wc -l) descriptors"
        seen=$((now + rounds / 12 + 1))
    fi
    sleep 1
done
wait $retrace || { tail -n 30 out.txt; echo "soak: failed"; exit 1; }
retrace=''
tail -n 40 serial.txt
tail -n 6 out.txt
echo "soak: $(grep -ac '^ROUND .* OVER' serial.txt) rounds, all sums right"
