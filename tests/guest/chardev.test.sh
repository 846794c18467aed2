# Where serial and parallel ports lead on the host: file, pipe, pseudo-terminal, sockets; both directions.
. "$(dirname "$0")/lib.sh"
tool nasm

# A ROM that says READY on COM1, sends back in capitals what it gets there and prints it, until "." comes;
# then it switches off (see bios.test.sh).
cat >echo.asm <<'ASM'
    cpu 386
    org 0
start:
    mov dx, 0x3fb
    mov al, 0x83
    out dx, al
    mov dx, 0x3f8
    mov al, 1           ; 115200 baud
    out dx, al
    inc dx
    mov al, 0
    out dx, al
    mov dx, 0x3fb
    mov al, 3
    out dx, al
    mov si, ready
.greet:
    cs lodsb
    test al, al
    jz next
    call send
    jmp .greet
next:
    mov dx, 0x3fd
.wait:
    in al, dx
    test al, 1
    jz .wait
    mov dx, 0x3f8
    in al, dx
    cmp al, '.'
    je off
    cmp al, 'a'
    jb .print
    sub al, 32
.print:
    call send
    mov ah, al          ; to the printer, once it is not busy: data, then a strobe
    mov dx, 0x379
.busy:
    in al, dx
    test al, 0x80
    jz .busy
    mov al, ah
    dec dx
    out dx, al
    add dx, 2
    mov al, 0x0d
    out dx, al
    mov al, 0x0c
    out dx, al
    jmp next
send:
    mov ah, al
    mov dx, 0x3fd
.full:
    in al, dx
    test al, 0x20
    jz .full
    mov al, ah
    mov dx, 0x3f8
    out dx, al
    ret
pci:
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    mov eax, ebx
    out dx, eax
    ret
off:
    mov dx, 0x3fd       ; the last byte leaves first
.busy:
    in al, dx
    test al, 0x40
    jz .busy
    mov eax, 0x80000b40
    mov ebx, 0x0000b001
    call pci
    mov eax, 0x80000b80
    mov ebx, 1
    call pci
    mov eax, 0x80000b04
    mov ebx, 1
    call pci
    mov dx, 0xb004
    mov ax, 0x2000
    out dx, ax
    hlt
ready db "READY", 10, 0
    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
ASM
nasm -f bin -o echo.bin echo.asm || die "nasm"
expected='READY
SOME TEXT'
machine() { timeout $((60 * SLOW)) "$retrace" -display none -bios ./echo.bin "$@"; }
check() { # check WHAT FILE: what came from the serial port
    [ "$(tr -d '\r' <"$2")" = "$expected" ] || { od -c "$2" | head; die "$1: not what the guest sent"; }
}
await_file() { # await_file NAME: until it exists
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt $((100 * SLOW)) ] || die "$1 never came"
        sleep 0.1
    done
}

# A pipe, and the printer on a file.
printf 'some text.' | machine -serial stdio -parallel file:lpt.txt >stdio.txt || die "stdio: exit status $?"
check stdio stdio.txt
[ "$(cat lpt.txt)" = 'SOME TEXT' ] || { cat lpt.txt; die "not what the guest printed"; }
printf 'some text.' | machine -nographic >nographic.txt || die "-nographic: exit status $?"
check -nographic nographic.txt

# A file, with a script at the other end.
printf 'wait-serial "READY" 5\nserial "some text."\nwait-poweroff 5\n' >words.rts
machine -serial file:file.txt -icount shift=2 -script words.rts >out.txt 2>&1 || { cat out.txt; die "file: exit status $?"; }
check file file.txt

# The second port stays silent.
machine -serial null -serial file:com2.txt -icount shift=2 -script words.rts >out.txt 2>&1 || { cat out.txt; die "null"; }
[ ! -s com2.txt ] || die "something came from the second port"

# A pseudo-terminal: found by the name on standard error; the guest's output does not come back as input.
machine -serial pty </dev/null >/dev/null 2>pty.err &
pid=$!
tries=0
until grep -q '/dev/pts' pty.err; do tries=$((tries + 1)); [ $tries -lt 100 ] || die "no pty"; sleep 0.1; done
pty=$(sed -n 's/.* \(\/dev\/pts\/[0-9]*\).*/\1/p' pty.err)
exec 4<>"$pty"
cat <&4 >pty.txt 2>/dev/null &
reader=$!
printf 'some text' >&4
tries=0
until grep -q TEXT pty.txt; do tries=$((tries + 1)); [ $tries -lt 100 ] || break; sleep 0.1; done
printf '.' >&4
wait $pid || die "pty: exit status $?"
exec 4>&-
wait $reader || :
check pty pty.txt

if command -v socat >/dev/null 2>&1; then
    # Sockets, the machine as the server: at once, and waiting for the first connection.
    for server in server server,nowait; do
        machine -serial unix:ser.sock,$server </dev/null >/dev/null 2>&1 &
        pid=$!
        await_file ser.sock
        { sleep 0.3; printf 'some text.'; sleep 1; } | socat -t5 - unix-connect:ser.sock >unix.txt
        wait $pid || die "unix $server: exit status $?"
        [ $server != server ] || check "unix $server" unix.txt
        grep -q 'SOME TEXT' unix.txt || { cat unix.txt; die "unix $server: no answer"; }
        [ ! -e ser.sock ] || die "the socket is left over"
    done
    port=$((20000 + $$ % 20000))
    machine -serial tcp:127.0.0.1:$port,server </dev/null >/dev/null 2>tcp.err &
    pid=$!
    tries=0
    until grep -q waiting tcp.err; do tries=$((tries + 1)); [ $tries -lt 100 ] || die "no tcp server"; sleep 0.1; done
    { sleep 0.3; printf 'some text.'; sleep 1; } | socat -t5 - tcp:127.0.0.1:$port >tcp.txt
    wait $pid || die "tcp: exit status $?"
    check tcp tcp.txt
    # The machine as the client.
    { sleep 0.3; printf 'some text.'; sleep 1; } | socat -t5 - unix-listen:cli.sock >client.txt &
    await_file cli.sock
    machine -serial unix:cli.sock </dev/null || die "unix client: exit status $?"
    wait
    check "unix client" client.txt
fi

# DOS prints.
image=$CORPUS/images/freedos/fd144.img
if [ -e "$image" ]; then
    run 'wait-screen "A:\>" 20
type "echo Hello, printer>prn\n"
wait 3' -fda "$image" -snapshot -m 4 -parallel file:prn.txt
    [ "$(tr -d '\r' <prn.txt)" = 'Hello, printer' ] || { od -c prn.txt; die "not what DOS printed"; }
fi

# A file that is in the way of a socket's name is not removed.
echo keep >precious
timeout 20 "$retrace" -display none -bios ./echo.bin -serial unix:precious,server,nowait </dev/null 2>err.txt && die "a file was taken for a socket"
[ "$(cat precious)" = keep ] || die "a file was overwritten by a socket"
exit 0
