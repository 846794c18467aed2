# Bad input gets one sentence and a non-zero exit, and leaves nothing half-written.
. "$(dirname "$0")/lib.sh"

refuses() { # refuses PATTERN OPTIONS...
    pattern=$1
    shift
    if timeout 60 "$retrace" -display none "$@" >out.txt 2>err.txt </dev/null; then
        die "accepted: $*"
    fi
    [ "$(grep -c . err.txt)" = 1 ] || { cat err.txt; die "not one sentence for: $*"; }
    grep -q "$pattern" err.txt || { cat err.txt; die "no \"$pattern\" in the sentence for: $*"; }
}
head -c 1000 /dev/zero >odd.img
head -c 1474560 /dev/zero >blank.img
echo 'quit' >quit.rts
echo 'frobnicate' >bad.rts
echo 'wait-screen "unfinished 3' >quote.rts

refuses 'did you mean -snapshot' -snapshop
refuses 'there is no option' -xyzzy
refuses 'needs a value' -fda
refuses 'missing.img' -fda missing.img -script quit.rts
refuses 'no floppy size' -fda odd.img -script quit.rts
refuses 'too little' -m 1K -script quit.rts
refuses 'more than this machine' -m 100G
refuses 'no memory size' -m lots
refuses 'seabios' -bios missing.bin -script quit.rts
refuses 'seabios' -L /nowhere -script quit.rts
refuses 'did you mean' -cpu 468
refuses 'did you mean' -M pcc
refuses 'trace category' -trace pti
refuses 'bad.rts:1' -script bad.rts
refuses 'quote' -script quote.rts
refuses 'script missing.rts' -script missing.rts
refuses 'no Linux kernel' -kernel blank.img -script quit.rts
refuses 'character device' -serial frob
refuses 'did you mean "ne2k_pci"' -device ne2k_pic
refuses 'no back end "n9"' -device ne2k_pci,netdev=n9 -script quit.rts
refuses 'did you mean "user"' -netdev usr,id=n0 -script quit.rts
refuses 'no PCI slot' -M isapc -nic hubport,model=ne2k_pci -script quit.rts
refuses 'network card' -nic none -M isapc -device ne2k_isa,iobase=0x3e0 -script quit.rts
refuses 'cannot write the packets' -netdev hubport,id=n0 -object filter-dump,netdev=n0,file=/nowhere/x.pcap -script quit.rts
refuses 'snapshot missing.rtv' -loadvm missing.rtv

# Read-only image opened for writing.
chmod a-w blank.img
if [ "$(id -u)" != 0 ]; then
    refuses 'blank.img' -fda blank.img -script quit.rts
fi
chmod u+w blank.img

# Truncated and altered snapshots.
run 'run-to 3000000
savevm good.rtv'
size=$(wc -c <good.rtv)
head -c $((size / 2)) good.rtv >short.rtv
refuses 'too early' -loadvm short.rtv -script quit.rts
{ head -c $((size / 2)) good.rtv; printf 'XXXX'; tail -c $((size - size / 2 - 4)) good.rtv; } >altered.rtv
refuses 'not a usable snapshot' -loadvm altered.rtv -script quit.rts
refuses 'another machine' -m 32 -loadvm good.rtv -script quit.rts
# A running machine survives a failed load.
printf 'run-to 1000000\nloadvm short.rtv\n' >fail.rts
refuses 'too early' -script fail.rts
# A save that cannot be written leaves nothing.
printf 'run-to 1000\nsavevm /nowhere/x.rtv\n' >nosave.rts
refuses 'nowhere' -script nosave.rts
[ -z "$(ls | grep tmp)" ] || die "a temporary file is left over"
