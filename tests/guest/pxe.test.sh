# Booting from the network: SeaBIOS runs iPXE from the card's ROM, which asks user-mode NAT's DHCP server for an address and
# fetches a program of our own by TFTP. That one says through the PXE API (PXE 2.1, 3.2 and 3.3) who it is, and fetches a file
# in its turn. Without -boot n or bootindex= no guest finds a ROM.
. "$(dirname "$0")/lib.sh"
tool nasm
need /usr/lib/ipxe/qemu/pxe-ne2k_pci.rom /usr/lib/ipxe/qemu/pxe-pcnet.rom
"$retrace" -netdev help | grep -q '^user' || { echo "no user-mode network in this build" >&2; exit 77; }

cat >nbp.asm <<'ASM'
    cpu 386
    org 0x7c00
GET_CACHED_INFO equ 0x71
TFTP_OPEN equ 0x20
TFTP_CLOSE equ 0x21
TFTP_READ equ 0x22
BUFFER equ 0xa000

%macro pxe 2 ; function, parameters
    push ds
    push word %2
    push word %1
    call far [entry]
    add sp, 6
    mov si, failed
    test ax, ax
    jnz finish
%endmacro

start: ; 0000:7C00; at SS:SP the way back, then the address of !PXE
    mov bp, sp
    les bx, [bp + 4]
    push cs
    pop ds
    cld
    mov si, none
    cmp dword [es:bx], '!PXE'
    jne finish
    mov eax, [es:bx + 0x10]
    mov [entry], eax

    pxe GET_CACHED_INFO, info
    mov si, we_are
    call say
    les bx, [info.buffer]
    mov eax, [es:bx + 20] ; the server
    mov [open.server], eax
    mov eax, [es:bx + 16] ; our own address
    call say_address
    mov si, from
    call say
    mov eax, [open.server]
    call say_address
    call new_line

    pxe TFTP_OPEN, open
.read:
    pxe TFTP_READ, read
    movzx ecx, word [read.size]
    add [bytes], ecx
    push cs
    pop es
    mov si, BUFFER
    jcxz .end
.add:
    lodsb
    movzx eax, al
    add [sum], eax
    loop .add
    mov ax, [read.size]
    cmp ax, [open.size] ; the last packet is shorter
    je .read
.end:
    pxe TFTP_CLOSE, close
    mov si, fetched
    call say
    mov eax, [bytes]
    call say_number
    mov si, with_sum
    call say
    mov eax, [sum]
    call say_number
    mov si, done
finish:
    push cs
    pop ds
    call say
.rest:
    hlt
    jmp .rest

say: ; the text at SI
    lodsb
    test al, al
    jz .end
    call say_char
    jmp say
.end:
    ret

new_line:
    mov al, 13
    call say_char
    mov al, 10
say_char:
    pushad
    mov ah, 0x0e
    mov bx, 7
    int 0x10
    popad
    ret

say_address: ; EAX, first byte lowest
    mov cx, 4
.next:
    push eax
    movzx eax, al
    call say_number
    pop eax
    shr eax, 8
    dec cx
    jz .end
    push eax
    mov al, '.'
    call say_char
    pop eax
    jmp .next
.end:
    ret

say_number: ; EAX, decimal
    push ecx
    xor cx, cx
    mov ebx, 10
.digit:
    xor edx, edx
    div ebx
    push dx
    inc cx
    test eax, eax
    jnz .digit
.out:
    pop ax
    add al, '0'
    call say_char
    loop .out
    pop ecx
    ret

entry: dd 0
bytes: dd 0
sum: dd 0
info:
    dw 0
    dw 2 ; the server's acknowledgement
    dw 0
.buffer: dw 0, 0
    dw 0
open:
    dw 0
.server: dd 0
    dd 0
    db "data.bin", 0
    times 128 - 9 db 0
    dw 69 << 8 ; big-endian
.size: dw 1024
read:
    dw 0
    dw 0
.size: dw 0
    dw BUFFER, 0
close: dw 0
none: db "NBP: no !PXE", 0
failed: db "NBP: a call failed", 0
we_are: db "NBP: ", 0
from: db " from ", 0
fetched: db "NBP: fetched ", 0
with_sum: db " bytes, sum ", 0
done: db ". PXE DONE", 0
ASM
mkdir tftp
nasm -w+all -f bin -o tftp/nbp.0 nbp.asm
head -c 100001 /dev/urandom >tftp/data.bin
sum=$(od -An -v -tu1 tftp/data.bin | awk '{ for (i = 1; i <= NF; i++) s += $i } END { print s }')
net="-netdev user,id=n0,tftp=tftp,bootfile=nbp.0"
head -c 1474560 /dev/zero >empty.img

boots="wait-screen \"NBP: 10.0.2.15 from 10.0.2.2\" 60
wait-screen \"NBP: fetched 100001 bytes, sum $sum. PXE DONE\" 60"
run "$boots" -boot n $net -device ne2k_pci,netdev=n0
run "$boots" -boot n $net -device pcnet,netdev=n0
# A bootindex goes before the boot order; the other card keeps quiet.
run "$boots" -boot a -fda empty.img $net -device pcnet -device ne2k_pci,netdev=n0,bootindex=1

# As if there were no ROM.
run 'wait-debug "Booting from Floppy" 5
info pci' -fda empty.img
grep -q 'BAR0: I/O' out.txt || die "no card: $(cat out.txt)"
[ "$(grep -c 'BAR6: ROM' out.txt)" = 1 ] || die "a network card has a ROM that nobody asked for: $(cat out.txt)"
run 'wait-screen "No bootable device" 30
expect-no-screen "iPXE"' -boot n $net -device ne2k_pci,netdev=n0,romfile=

"$retrace" -display none -device ne2k_pci,romfile=missing.rom >out.txt 2>&1 && die "a missing ROM was accepted"
grep -q 'cannot open the network boot ROM missing.rom.*install the package ipxe-qemu' out.txt || die "$(cat out.txt)"
"$retrace" -display none -M isapc -device ne2k_isa,romfile=x.rom >out.txt 2>&1 && die "a ROM on ne2k_isa was accepted"
grep -q 'ne2k_isa has no ROM socket' out.txt || die "$(cat out.txt)"
exit 0
