# Debian's kernel on each network card: DHCP, ping, IPv6, DNS, a file by UDP, a download and its upload through user-mode NAT (64 MiB on the
# PCI cards), a port forwarded to a server in the guest, frames to a pcap file. The host's side is busybox's servers.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$GUESTS/modules/8390p.ko"
"$GUESTS/busybox" true 2>/dev/null || { echo "this host does not run i386 programs" >&2; exit 77; }
"$retrace" -netdev help | grep -q '^user' || { echo "no user-mode network in this build" >&2; exit 77; }

. "$(dirname "$0")/http.sh"
head -c 300001 /dev/urandom >www/udp.bin
udp_sum=$(md5sum <www/udp.bin | cut -d' ' -f1)
serve_files
trap 'kill $server 2>/dev/null || true' EXIT
mkfifo hold
exec 9<>hold
dns='echo no DNS here'
getent hosts deb.debian.org >/dev/null 2>&1 && dns='nslookup deb.debian.org | tail -n 3'

try() { # try NAME INSMOD OPTIONS...
    name=$1 insmod=$2
    shift 2
    rm -f www/fetched upload.txt
    printf 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n' >hold
    "$GUESTS/busybox" nc -l -p $((port + 1)) <hold >upload.txt & # an end of its input would end it early
    upload=$!
    { # asks until the guest's server answers
        for i in $(seq 300); do
            if "$GUESTS/busybox" wget -q -O got.txt http://127.0.0.1:$((port + 2))/index.html 2>/dev/null; then
                grep -q 'from the guest' got.txt && touch www/fetched && break
            fi
            sleep 0.2
        done
    } &
    fetch=$!
    cat >words.rts <<TEXT
wait-serial "GUEST-READY" 120
wait-serial "guest# " 20
serial "cd /lib/modules; $insmod; ifconfig eth0 up; udhcpc -n -q -s /etc/udhcpc -i eth0\n"
wait-serial "DHCP gave 10.0.2.15, gateway 10.0.2.2, DNS 10.0.2.3" 30
wait-serial "guest# " 20
serial "ping -c 3 10.0.2.2; ping -6 -c 2 fec0::2; $dns; echo PING''ED\n"
wait-serial "3 packets received" 20
wait-serial "2 packets received" 20
wait-serial "PINGED" 30
serial "tftp -g -r udp.bin -l /tmp/udp 10.0.2.2; md5sum /tmp/udp\n"
wait-serial "$udp_sum" 60
wait-serial "guest# " 20
serial "wget -q -O /tmp/big http://10.0.2.2:$port/big.txt; md5sum /tmp/big\n"
wait-serial "$sum" 600
wait-serial "guest# " 20
serial "wget -q -O - --post-file=/tmp/big http://10.0.2.2:$((port + 1))/; echo SENT''IT\n"
wait-serial "SENTIT" 600
serial "mkdir /tmp/www; echo from the guest >/tmp/www/index.html; httpd -p 80 -h /tmp/www\n"
serial "until wget -q -O - http://10.0.2.2:$port/fetched; do sleep 1; done; echo FETCH''ED\n"
wait-serial "FETCHED" 60
info network
info usernet
set_link n0 off
serial "ping -c 1 -W 1 10.0.2.2\n"
wait-serial "100% packet loss" 20
set_link n0 on
hostfwd_remove tcp:127.0.0.1:$((port + 2))
hostfwd_add n0 tcp:127.0.0.1:$((port + 2))-:80
TEXT
    timeout $((300 * SLOW)) "$retrace" -display none -m 256 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" \
        -append 'console=ttyS0 quiet' -icount shift=1 -script words.rts -object filter-dump,id=f,netdev=n0,file=$name.pcap \
        -netdev user,id=n0,tftp=www,hostfwd=tcp:127.0.0.1:$((port + 2))-:80 "$@" >out.txt 2>&1 || { cat out.txt; die "failed: $name"; }
    wait $fetch
    wait $upload
    tail -c ${mib}M upload.txt | cmp - www/big.txt || die "$name: the upload arrived altered"
    [ "$(od -An -tx4 -N4 $name.pcap | tr -d ' ')" = a1b2c3d4 ] || die "$name.pcap is no pcap file"
    [ "$(stat -c %s $name.pcap)" -gt $((2 * mib * 1048576)) ] || die "$name.pcap does not hold all frames"
    rm -f $name.pcap
}
text_file $((SLOW > 1 ? 2 : 64))
try ne2k_pci 'insmod 8390.ko; insmod ne2k-pci.ko' -device ne2k_pci,netdev=n0
try pcnet 'insmod mii.ko; insmod pcnet32.ko' -device pcnet,netdev=n0
text_file 2
try ne2k_isa 'insmod 8390p.ko; insmod ne.ko io=0x320 irq=5' -device ne2k_isa,netdev=n0,iobase=0x320,irq=5,mac=52:54:00:aa:bb:cc
try isapc 'insmod 8390p.ko; insmod ne.ko io=0x300 irq=9' -M isapc -device ne2k_isa,netdev=n0
exit 0
