#!/bin/bash
# Network benchmarks: TCP through user-mode NAT inside Linux, 64 MiB down and 64 MiB up, on Retrace and on QEMU's TCG with the same
# card model, in turn within one run. On ne2k_pci the download is of 4 MiB: QEMU's drops what the card's ring has no room for,
# and waits for TCP to send it again. Usage: net.sh [BUILD] (or make bench-net). Environment: RUNS=3; CARDS="ne2k_pci pcnet";
# RETRACE_GUESTS as for run.sh. Shows medians as disk.sh. Server is busybox on this host; all sums are checked.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
guests=${RETRACE_GUESTS:-$here/../build/guests}
tmp=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill $server; rm -rf "$tmp"' EXIT
die() {
    echo "bench: $*" >&2
    exit 1
}
[ -x "$build/retrace" ] && [ -x "$build/bench-driver" ] || die "$build is not built; use make bench-net"
command -v qemu-system-i386 >/dev/null || die "qemu-system-i386 is missing (package qemu-system-x86)"
sh "$here/../tests/guest/prepare-linux.sh" "$guests" || die "there is no Linux guest (see above)"

port=$((20000 + $$ % 20000))
mkdir -p "$tmp/www/cgi-bin"
sum_of() { md5sum | cut -d' ' -f1; }
for mib in 4 64; do head -c ${mib}M /dev/urandom >"$tmp/www/$mib"; done
upsum=$(yes network | head -c 67108864 | sum_of) # text, as busybox's wget posts no other
cat >"$tmp/www/cgi-bin/sum" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
head -c "$CONTENT_LENGTH" | md5sum
CGI
cat >"$tmp/www/cgi-bin/fetch" <<CGI
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
"$guests/busybox" wget -q -O - http://127.0.0.1:$((port + 1))/big | md5sum
CGI
chmod +x "$tmp/www/cgi-bin/sum" "$tmp/www/cgi-bin/fetch"
"$guests/busybox" httpd -f -p 127.0.0.1:$port -h "$tmp/www" &
server=$!

for ((run = 1; run <= ${RUNS:-3}; run++)); do
    for card in ${CARDS:-ne2k_pci pcnet}; do
        insmod='insmod mii.ko; insmod pcnet32.ko' file=64
        [ "$card" = pcnet ] || insmod='insmod 8390.ko; insmod ne2k-pci.ko' file=4
        sed "s/@insmod@/$insmod/; s/@port@/$port/; s/@file@/$file/; s/@sum@/$(sum_of <"$tmp/www/$file")/
            s/@upsum@/$upsum/; s/@card@/$card/" "$here/net.plan" >"$tmp/plan"
        common=(-m 256 -M pc -cpu pentium2 -kernel "$guests/vmlinuz" -initrd "$guests/initrd-modules.gz" -append 'console=ttyS0 quiet'
            -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$((port + 1))-:80" -device "$card,netdev=n0" -display none -serial stdio -monitor none)
        for e in retrace qemu; do
            command=("$build/retrace" -core fast)
            [ $e = retrace ] || command=(qemu-system-i386 -accel tcg)
            echo "bench: run $run, $card, $e" >&2
            "$build/bench-driver" "$tmp/plan" "${command[@]}" "${common[@]}" 2>"$tmp/stderr" | sed "s/^/$e /" | tee -a "$tmp/all" >&2
            [ "${PIPESTATUS[0]}" = 0 ] || { cat "$tmp/stderr" >&2; die "$e did not finish the plan"; }
        done
    done
done
sort -s -k 1,2 "$tmp/all" | awk -f "$here/rates.awk"
