# The self-test ROM (roms/selftest): the system level of the CPU against the manual, in both cores, on several
# models. The NMIs that it asks for come from the monitor.
. "$(dirname "$0")/lib.sh"
need "$BUILD/roms/selftest.bin"

nmi='wait-serial "NMI please" 120
nmi'
selftest() { # selftest CORE MODEL
    rm -f serial.txt
    run "$nmi
$nmi
$nmi
$nmi
$nmi
$nmi
wait-poweroff 120" -core "$1" -cpu "$2" -bios "$BUILD/roms/selftest.bin" -serial file:serial.txt
    grep -q '^[1-9][0-9]* passed, 0 failed' serial.txt || { grep -v '^ok' serial.txt; die "failures: -core $1 -cpu $2"; }
    grep -q '^ok .*3A 6.7.1' serial.txt || { tail serial.txt; die "no NMI came: -core $1 -cpu $2"; }
}
for core in reference fast; do
    for model in 386 486 pentium pentium2 pentium4,+nx; do
        selftest $core $model
    done
done
exit 0
