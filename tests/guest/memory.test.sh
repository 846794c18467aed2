# RAM on demand: a 2 GiB machine that touches little costs little.
. "$(dirname "$0")/lib.sh"
tool python3
[ "$SLOW" = 1 ] || { echo "sanitizers need memory of their own" >&2; exit 77; }
printf 'wait-screen "Choose a lesson" 60\nwait 1\n' >words.rts
peak() { # peak MEMORY: the emulator's peak resident KiB
    /usr/bin/env python3 - "$@" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PY
}
small=$(peak 16 "$retrace" -m 16 -display none -fda "$BUILD/roms/tour.img" -snapshot -icount shift=2 -script words.rts)
big=$(peak 2048 "$retrace" -m 2G -display none -fda "$BUILD/roms/tour.img" -snapshot -icount shift=2 -script words.rts)
echo "16 MiB guest: $small KiB, 2 GiB guest: $big KiB"
[ "$big" -lt $((small + 20000)) ] || die "untouched memory is not free"
