# The packaged GDB drives the stub: registers at reset, a step, a breakpoint at the boot sector, memory.
. "$(dirname "$0")/lib.sh"
gdb=$(command -v gdb || command -v gdb-multiarch || true)
[ -n "$gdb" ] || { echo "no gdb (./configure --install-deps)" >&2; exit 77; }
"$gdb" -nx -batch -ex 'set architecture i8086' >arch.txt 2>&1 || true
grep -q i8086 arch.txt || { echo "this gdb knows no i8086" >&2; exit 77; }

port=$((20000 + $$ % 20000))
cat >session.gdb <<EOS
set confirm off
set pagination off
set tcp auto-retry on
set remotetimeout 60
target remote 127.0.0.1:$port
EOS
cat >>session.gdb <<'EOS'
printf "reset eip=%x cs=%x cs_base=%x cr0=%x\n", $eip, $cs, $cs_base, $cr0
stepi
printf "after the far jump eip=%x cs=%x cs_base=%x\n", $eip, $cs, $cs_base
break *0x7c00
continue
printf "boot sector eip=%x cs=%x\n", $eip, $cs
x/2xb 0x7dfe
set architecture i8086
x/i $pc
set $eax = 0x1234
printf "eax=%x\n", $eax
set {unsigned char}0x500 = 0xa5
x/1xb 0x500
delete
stepi
stepi
monitor info registers
detach
EOS

"$retrace" -display none -S -gdb "tcp:127.0.0.1:$port" -fda "$BUILD/roms/tour.img" -snapshot >retrace.txt 2>&1 </dev/null &
machine=$!
trap 'kill $machine 2>/dev/null || true' EXIT
timeout $((120 * SLOW)) "$gdb" -nx -batch -x session.gdb >out.txt 2>&1 || { cat out.txt retrace.txt; die "gdb failed"; }

shows() { grep -q -e "$1" out.txt || { cat out.txt retrace.txt; die "gdb's output lacks: $1"; }; }
shows 'reset eip=fff0 cs=f000 cs_base=ffff0000 cr0=60000010'
shows 'after the far jump eip=e05b cs=f000 cs_base=f0000'
shows 'Breakpoint 1, 0x00007c00 in'
shows 'boot sector eip=7c00 cs=0'
shows '0x7dfe:.*0x55.*0xaa'
shows '=> 0x7c00:'
shows 'eax=1234'
shows '0x500:.*0xa5'
shows 'CS =0000 00000000'
kill $machine 2>/dev/null || die "the emulator ended with the debugger"
