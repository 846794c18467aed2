# The self-test ROM (roms/selftest): the system level of the CPU against the manual, in both cores and on several models.
. "$(dirname "$0")/lib.sh"
need "$BUILD/roms/selftest.bin"

selftest() { # selftest CORE MODEL
    rm -f serial.txt
    run 'wait-poweroff 120' -core "$1" -cpu "$2" -bios "$BUILD/roms/selftest.bin" -serial file:serial.txt
    grep -q ' passed, 0 failed' serial.txt || { grep -v '^ok' serial.txt; die "failures: -core $1 -cpu $2"; }
}
for core in reference fast; do
    for model in 386 486 pentium pentium2 pentium4,+nx; do
        selftest $core $model
    done
done
exit 0
