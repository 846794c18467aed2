# The monitor on stdio and on a socket, as a program that was written for QEMU's drives it.
. "$(dirname "$0")/lib.sh"
need "$BUILD/roms/tour.img"

prompts() { grep -o '(qemu) ' out.txt | wc -l; }
start() { # start OPTIONS...: the machine with its monitor on a pair of pipes
    rm -f in && mkfifo in
    : >out.txt
    "$retrace" -display none -monitor stdio "$@" <in >out.txt 2>err.txt &
    pid=$!
    exec 3>in
    await 1
}
await() { # await N: until there are N prompts
    tries=0
    until [ "$(prompts)" -ge "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt $((300 * SLOW)) ] || { cat out.txt err.txt; die "no answer from the monitor"; }
        sleep 0.1
    done
}
ask() { # ask WORDS: $answer is what came between this prompt and the next, without the echo
    had=$(prompts)
    printf '%s\n' "$1" >&3
    await $((had + 1))
    answer=$(tr -d '\r' <out.txt | awk -v n=$((had + 1)) 'BEGIN { RS = "\\(qemu\\) " } NR == n' | sed 1d)
}
expect() { # expect WORDS PATTERN: the answer matches
    ask "$1"
    printf '%s\n' "$answer" | grep -q -- "$2" || { printf '%s\n' "$answer"; die "no \"$2\" in the answer to: $1"; }
}
quiet() { # quiet WORDS: no answer
    ask "$1"
    [ -z "$answer" ] || { printf '%s\n' "$answer"; die "an answer to: $1"; }
}
await_screen() { # await_screen TEXT: until the text is on the screen
    looks=0
    until ask screentext && printf '%s' "$answer" | grep -q -- "$1"; do
        looks=$((looks + 1))
        [ $looks -lt $((200 * SLOW)) ] || { printf '%s\n' "$answer"; die "\"$1\" never came to the screen"; }
        sleep 0.1
    done
}

cp "$BUILD/roms/tour.img" tour.img
start -m 4 -fda tour.img
grep -q "monitor - type 'help' for more information" out.txt || die "no greeting"
await_screen 'Choose a lesson'

# Words, help and mistakes.
expect 'help' '^sendkey KEYS'
expect 'help sendkey' '^sendkey KEYS \[MS\] -- '
expect 'screndump x' 'unknown command.*did you mean "screendump"'
expect 'info pics' 'did you mean "info pic"'
expect 'info state kdb' 'did you mean "kbd"'
expect 'sendkey' '^usage: sendkey'
expect 'quit now' '^usage: quit'
expect 'type "unfinished' 'quote is not closed'
expect 'sendkey frob' 'did you mean'
expect 'x/4q 0' 'no format'
expect 'p $nothing' 'no such register'
expect 'p 1 / 0' 'division by zero'
quiet ''

# Stop and go.
expect 'info status' '^VM status: running$'
quiet 'stop'
expect 'info status' '^VM status: paused$'
ask 'info hash'
hash=$answer
sleep 0.3
expect 'info hash' "^$hash\$"

# All there is to see.
for word in registers cpus pic pci mem tlb mtree block version hash status; do
    ask "info $word"
    case $word in mem | tlb) continue ;; esac # without paging these have nothing to say
    [ -n "$answer" ] || die "no answer to: info $word"
done
expect 'info registers' '^EAX=[0-9a-f]\{8\} EBX=[0-9a-f]\{8\} ECX='
expect 'info registers' '^EIP=[0-9a-f]\{8\} EFL=[0-9a-f]\{8\} \['
expect 'info pic' '^pic0: irr=[0-9a-f][0-9a-f] imr='
expect 'info block' '^floppy0: 1440 KiB'
ask 'info state'
for device in $answer; do
    ask "info state $device"
    [ -n "$answer" ] || die "no answer to: info state $device"
done

# Memory: the reset vector is a far jump; the BIOS data area holds COM1's port.
expect 'xp/1xb 0xffff0' '^00000000000ffff0: 0xea'
expect 'x/1i 0xf000:0xfff0' 'jmp'
expect 'xp /1xh 0x400' '0x03f8$'
expect 'xp/1dh 0x400' ' 1016$'
expect 'p 0x10 + 2 * 8' '^0x20$'
expect 'p /d 0x10' '^16$'
quiet 'pmemsave 0xf0000 65536 rom.bin'
[ "$(wc -c <rom.bin)" = 65536 ] || die "pmemsave wrote $(wc -c <rom.bin) bytes"
[ "$(od -An -tx1 -j65520 -N1 rom.bin)" = ' ea' ] || die "pmemsave wrote other bytes"
quiet 'memsave 0x400 2 com.bin'
[ "$(od -An -tx1 com.bin)" = ' f8 03' ] || die "memsave wrote other bytes"
expect 'pmemsave 0 16 /nowhere/x' 'cannot write /nowhere/x'
expect 'pmemsave 0 0x7fffffffffff all.bin' '4 GiB'
[ ! -e all.bin ] || die "a partial file is left"

# The screen as files.
quiet 'screendump shot.png'
quiet 'screendump shot.ppm'
[ "$(od -An -c -N4 shot.png | tr -d ' ')" = '211PNG' ] || die "shot.png is no PNG"
[ "$(head -c 2 shot.ppm)" = P6 ] || die "shot.ppm is no PPM"
if command -v identify >/dev/null 2>&1; then
    identify shot.png | grep -q ' PNG 720x400 ' || die "the PNG is not 720x400"
    identify shot.ppm | grep -q ' PPM 720x400 ' || die "the PPM is not 720x400"
    [ "$(identify -format '%#' shot.png)" = "$(identify -format '%#' shot.ppm)" ] || die "PNG and PPM differ"
fi
expect 'screendump /nowhere/shot.png' 'cannot write'

# One instruction at a time; an empty line repeats.
expect 'step' '^[0-9a-f]\{4\}:[0-9a-f]\{8\}  '
expect '' '^[0-9a-f]\{4\}:[0-9a-f]\{8\}  '
expect 'info hash' 'icount'
quiet ''
ask 'info hash'
before=$(printf '%s' "$answer" | sed 's/.*icount \([0-9]*\).*/\1/')
ask 'step 100'
ask 'info hash'
after=$(printf '%s' "$answer" | sed 's/.*icount \([0-9]*\).*/\1/')
# (A step that only waits in HLT for an interrupt retires no instruction.)
[ $((after - before)) -gt 50 ] && [ $((after - before)) -le 100 ] || die "step 100 made $((after - before)) instructions"

# A breakpoint: the timer interrupt's first instruction.
ask 'p /d 8 * 4'
ask 'xp/1xw 0x20'
vector=${answer##*0x}
segment=$(printf '%s' "$vector" | cut -c1-4) offset=$(printf '%s' "$vector" | cut -c5-8)
quiet "b 0x$segment:0x$offset"
expect 'b' '^1  0x'
had=$(prompts)
printf 'cont\n' >&3
await $((had + 2)) # its own prompt, and the one after the stop is told
expect 'info status' 'paused'
expect 'p $ip' "^0x0*$offset\$"
quiet "del 0x$segment:0x$offset"
expect "del 0x$segment:0x$offset" 'no breakpoint'
quiet 'cont'

# Keys. Lesson 1 and back, with a key by name and one as text. (The menu is left before Esc is pressed:
# there it halts the tour.)
quiet 'type "1"'
await_screen 'Hello from INT 10h'
ask 'sendkey esc'
await_screen 'Choose a lesson'
quiet 'sendkey shift-f1 100'
quiet 'mouse_move 10 -10'
quiet 'mouse_button 0'
expect 'mouse_move ten 10' 'no movement'

# Media while it runs.
head -c 737280 /dev/zero >small.img
head -c 1000 /dev/zero >odd.img
quiet 'eject floppy0'
expect 'info block' '^floppy0: \[not inserted\]'
expect 'change floppy0 odd.img' 'no floppy size'
expect 'change floppy0 missing.img' 'missing.img'
expect 'change floppy7 small.img' 'did you mean'
expect 'info block' '^floppy0: \[not inserted\]'
quiet 'change floppy0 tour.img raw read-only'
expect 'info block' '^floppy0: 1440 KiB, read-only'
quiet 'change floppy0 tour.img'
expect 'info block' '^floppy0: 1440 KiB$'

# Save, go on, load: the machine is the one that was saved.
quiet 'stop'
ask 'info hash'
hash=${answer%% *}
quiet 'savevm here.rtv'
ask 'step 5000'
ask 'info hash'
[ "${answer%% *}" != "$hash" ] || die "5000 instructions changed nothing"
quiet 'loadvm here.rtv'
expect 'info hash' "^$hash "
expect 'loadvm tour.img' 'not a usable snapshot'
expect 'info hash' "^$hash "
expect 'savevm /nowhere/x' 'nowhere'
quiet 'cont'
# Loading while it runs goes on from the saved time.
quiet 'savevm now.rtv'
sleep 1
quiet 'loadvm now.rtv'
expect 'info status' 'running'
await_screen 'Choose a lesson'

# The reset button.
quiet 'system_reset'
await_screen 'Choose a lesson'
printf 'quit\n' >&3
wait $pid || { cat err.txt; die "quit: exit status $?"; }
exec 3>&-
[ -z "$(ls | grep -e '\.part$' -e '\.tmp$')" ] || die "a temporary file is left over"

# The power button of an AT cuts the power; start paused with -S.
start -M isapc -m 4 -fda tour.img -snapshot -S
expect 'info status' 'paused'
expect 'info pci' 'no PCI'
printf 'cont\nsystem_powerdown\n' >&3
wait $pid || die "power off: exit status $?"
exec 3>&-

# A socket: one greeting for each connection, carriage returns and pieces of lines as they come.
if command -v socat >/dev/null 2>&1; then
    "$retrace" -display none -fda tour.img -snapshot -monitor unix:mon.sock,server,nowait </dev/null 2>err.txt &
    pid=$!
    tries=0
    until [ -S mon.sock ]; do tries=$((tries + 1)); [ $tries -lt 100 ] || die "no socket"; sleep 0.1; done
    for i in 1 2; do
        { printf 'info st'; sleep 0.2; printf 'atus\r\n'; sleep 0.5; } | socat -t5 - unix-connect:mon.sock >sock.txt
        [ "$(grep -c 'for more information' sock.txt)" = 1 ] || { cat sock.txt; die "connection $i: not one greeting"; }
        [ "$(grep -c 'VM status: running' sock.txt)" = 1 ] || { cat sock.txt; die "connection $i: not one answer"; }
        [ "$(grep -o '(qemu) ' sock.txt | wc -l)" = 2 ] || { cat sock.txt; die "connection $i: not two prompts"; }
    done
    printf 'quit\n' | socat -t5 - unix-connect:mon.sock >/dev/null
    wait $pid || die "quit by socket: exit status $?"
    [ ! -e mon.sock ] || die "the socket is left over"
fi
exit 0
