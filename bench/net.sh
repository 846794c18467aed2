#!/bin/bash
# Network benchmarks: TCP through user-mode NAT inside Linux, 64 MiB down and 64 MiB up, on Retrace and on QEMU's TCG with the same
# card model, in turn within one run. On ne2k_pci the download is of 4 MiB: QEMU's drops what the card's ring has no room for,
# and waits for TCP to send it again. Usage: net.sh [BUILD] (or make bench-net). Environment: RUNS=3; CARDS="ne2k_pci pcnet";
# RETRACE_GUESTS as for run.sh. Shows medians as disk.sh. Server is busybox on this host; all sums are checked.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

GUESTS=$guests
cd "$tmp" || exit 1
. "$here/../tests/guest/http.sh"

sum_of() { md5sum | cut -d' ' -f1; }
for mib in 4 64; do head -c ${mib}M /dev/urandom >www/$mib; done
upsum=$(yes network | head -c 67108864 | sum_of) # text, as busybox's wget posts no other
cat >www/cgi-bin/fetch <<CGI
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
"$guests/busybox" wget -q -O - http://127.0.0.1:$((port + 1))/big | md5sum
CGI
chmod +x www/cgi-bin/fetch
serve_files

for ((run = 1; run <= ${RUNS:-3}; run++)); do
    for card in ${CARDS:-ne2k_pci pcnet}; do
        insmod='insmod mii.ko; insmod pcnet32.ko' file=64
        [ "$card" = pcnet ] || insmod='insmod 8390.ko; insmod ne2k-pci.ko' file=4
        sed "s/@insmod@/$insmod/; s/@port@/$port/; s/@file@/$file/; s/@sum@/$(sum_of <www/$file)/
            s/@upsum@/$upsum/; s/@card@/$card/" "$here/net.plan" >plan
        common=(-m 256 -M pc -cpu pentium2 -kernel "$guests/vmlinuz" -initrd "$guests/initrd-modules.gz" -append 'console=ttyS0 quiet'
            -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$((port + 1))-:80" -device "$card,netdev=n0" -display none -serial stdio -monitor none)
        in_turn "$run, $card" plan "${common[@]}"
    done
done
rates
