# The host has no more room for the image: the machine is paused with a sentence, `cont` goes on where there is
# room again, and nothing is lost; werror=report and ignore; backing=deny, and backing files that are named first.
. "$(dirname "$0")/lib.sh"
tool nasm prlimit mkfifo

# An MBR that writes 64 sectors, one to each cluster from 64 KiB on, reads them again and says on COM1 what became
# of that: W a write that failed, R a read, C other contents, D at the end.
cat >mbr.asm <<'ASM'
    cpu 386
    org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    mov bp, 64
write:
    mov ax, bp
    mov di, buffer
    mov cx, 256
    rep stosw
    mov ah, 0x43
    mov al, 'W'
    call disk
    dec bp
    jnz write
    mov bp, 64
read:
    mov ah, 0x42
    mov al, 'R'
    call disk
    cmp [buffer + 510], bp
    je same
    mov al, 'C'
    call say
same:
    dec bp
    jnz read
    mov al, 'D'
    call say
idle:
    hlt
    jmp idle
disk:                   ; AH: the function, AL: what to say if it fails
    mov bl, al
    xor al, al
    mov cx, bp
    shl cx, 7
    mov [packet + 8], cx
    mov dl, 0x80
    mov si, packet
    int 0x13
    mov al, bl
    jc say
    ret
say:
    mov dx, 0x3f8
    out dx, al
    mov dx, 0x3fd
.wait:
    in al, dx
    test al, 0x40
    jz .wait
    ret
packet db 16, 0, 1, 0
    dw buffer, 0, 0, 0, 0, 0
    times 510 - ($ - $$) db 0
    dw 0xaa55
buffer equ 0x8000
ASM
nasm -f bin -o mbr.bin mbr.asm || die "nasm"
truncate -s 16M mbr.bin

await() { # await FILE TEXT
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -le $((300 * SLOW)) ] || { cat "$1"; die "no \"$2\" in $1"; }
        sleep 0.1
    done
}
start() { # start WERROR: with room for about 2 MiB
    "$BUILD/retrace-img" convert -q -O qcow2 mbr.bin full.qcow2
    rm -f monitor ser.txt
    mkfifo monitor
    (
        ulimit -S -f 2048
        exec "$retrace" -display none -icount shift=2 -serial file:ser.txt -monitor stdio \
            -drive "file=full.qcow2,werror=$1" <monitor >out.txt 2>err.txt
    ) &
    pid=$!
    exec 3>monitor
}
finish() { # finish SERIAL-TEXT
    echo quit >&3
    wait $pid || { cat err.txt; die "exit status"; }
    exec 3>&-
    [ "$(cat ser.txt)" = "$1" ] || die "the guest said $(cat ser.txt), not $1"
    "$BUILD/retrace-img" check -q full.qcow2 || [ $? = 3 ] || die "the image is damaged"
}

start stop
await err.txt 'ide0-hd0: full.qcow2: .* the machine is paused and nothing is lost'
[ ! -s ser.txt ] || die "the guest has seen an error: $(cat ser.txt)"
echo 'info status' >&3
await out.txt 'VM status: paused'
echo cont >&3 # nothing has changed: paused once more
tries=0
until [ "$(grep -c 'is paused' err.txt)" -ge 2 ]; do
    tries=$((tries + 1))
    [ $tries -le 300 ] || die "not paused again"
    sleep 0.1
done
prlimit --pid $pid --fsize=unlimited
echo cont >&3
await ser.txt D
finish D
"$BUILD/retrace-img" convert -O raw full.qcow2 full.raw
[ "$(od -An -tu2 -j 4194304 -N 2 full.raw | tr -d ' ')" = 64 ] || die "what the guest wrote is not in the image"

start report
await ser.txt D
grep -q W ser.txt || die "no write failed"
prlimit --pid $pid --fsize=unlimited
echo quit >&3
wait $pid || : # what could not be flushed is said
exec 3>&-
"$BUILD/retrace-img" check -q full.qcow2 || [ $? = 3 ] || die "the image is damaged"

# Backing files.
"$BUILD/retrace-img" create -q -f raw base.raw 1M
"$BUILD/retrace-img" create -q -f qcow2 -b base.raw -F raw top.qcow2
printf 'info block\n' >words.rts
"$retrace" -display none -drive file=top.qcow2,backing=deny -script words.rts >out.txt 2>&1 && die "backing=deny was not heard"
grep -q 'backing files are denied' out.txt || { cat out.txt; die "no sentence"; }
"$retrace" -display none -drive file=top.qcow2 -script words.rts >out.txt 2>&1 || { cat out.txt; die "does not start"; }
grep -q 'top.qcow2: opening its backing file base.raw' out.txt || { cat out.txt; die "the backing file is not named"; }
