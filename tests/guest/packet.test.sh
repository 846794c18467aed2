# The ISA NE2000 driven through its registers by 8086 code of our own, from the reset vector: finds the card by
# its PROM, asks for the gateway's address (ARP), then for an address of its own (DHCP: UDP both ways). The same
# program again under FreeDOS.
. "$(dirname "$0")/lib.sh"
tool nasm
"$retrace" -netdev help | grep -q '^user' || { echo "no user-mode network in this build" >&2; exit 77; }

cat >packet.asm <<'ASM'
    cpu 8086
%ifdef COM ; a program of DOS
    org 0x100
%else
    org 0
%endif
BASE equ 0x300
DATA equ BASE + 0x10
FIRST equ 0x46 ; pages of the ring
LAST equ 0x80
BUFFER equ 0x8000

%macro reg 2 ; register, value
    mov dx, BASE + %1
    mov al, %2
    out dx, al
%endmacro

start:
    cli
    cld
%ifndef COM
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ds, ax
    mov es, ax
%endif
    mov dx, BASE + 0x1f ; reset
    in al, dx
    out dx, al
    mov si, setup
    call registers
    mov bx, 0 ; the PROM
    mov cx, 32
    call read_card
    mov si, BUFFER + 28
    cmp word [si], 'WW'
    mov si, no_card
    jne fail
    mov si, found
    call say

    mov si, arp
    mov cx, arp_end - arp
    call send
.arp:
    call receive
    cmp word [BUFFER + 4 + 12], 0x0608 ; ARP
    jne .arp
    cmp word [BUFFER + 4 + 20], 0x0200 ; reply
    jne .arp
    cmp word [BUFFER + 4 + 28], 10 ; from 10.0.2.2
    jne .arp
    cmp word [BUFFER + 4 + 30], 0x0202
    jne .arp
    mov si, arp_ok
    call say

    mov si, dhcp
    mov cx, dhcp_end - dhcp
    call send
.dhcp:
    call receive
    cmp word [BUFFER + 4 + 12], 8 ; IP
    jne .dhcp
    cmp byte [BUFFER + 4 + 23], 17 ; UDP
    jne .dhcp
    cmp word [BUFFER + 4 + 58], 10 ; yiaddr 10.0.2.15
    jne .dhcp
    cmp word [BUFFER + 4 + 60], 0x0f02
    jne .dhcp
    mov si, udp_ok
    call say
halt:
%ifdef COM
    mov ax, 0x4c00
    int 0x21
%endif
    hlt
    jmp halt
fail:
    call say
    jmp halt

say: ; cs:si to port E9
    cs lodsb
    test al, al
    jz .done
    out 0xe9, al
    jmp say
.done:
    ret

registers: ; pairs of register and value at cs:si, up to FF
    cs lodsb
    cmp al, 0xff
    je .done
    mov dx, BASE
    add dl, al
    cs lodsb
    out dx, al
    jmp registers
.done:
    ret

remote: ; remote DMA of cx bytes at card address bx, command in ah
    reg 0x8, bl
    reg 0x9, bh
    reg 0xa, cl
    reg 0xb, ch
    reg 0x0, ah
    mov dx, DATA
    ret

read_card: ; cx bytes from bx to BUFFER
    mov ah, 0x0a
    call remote
    mov di, BUFFER
.next:
    in al, dx
    stosb
    loop .next
    ret

send: ; cx bytes at cs:si
    push cx
    mov bx, 0x4000
    mov ah, 0x12
    call remote
.next:
    cs lodsb
    out dx, al
    loop .next
    pop cx
    reg 0x4, 0x40
    reg 0x5, cl
    reg 0x6, ch
    reg 0x0, 0x26
.wait:
    in al, dx
    test al, 4
    jnz .wait
    ret

receive: ; the next frame, header first, to BUFFER
    mov dx, BASE + 3 ; BNRY is one behind
    in al, dx
    inc al
    cmp al, LAST
    jb .page
    mov al, FIRST
.page:
    mov bh, al
.wait:
    reg 0x0, 0x62 ; page 1: CURR
    mov dx, BASE + 7
    in al, dx
    mov bl, al
    reg 0x0, 0x22
    cmp bl, bh
    je .wait
    mov bl, 0
    mov cx, 96
    call read_card
    mov ah, [BUFFER + 1] ; the page after it
    dec ah
    cmp ah, FIRST
    jae .free
    mov ah, LAST - 1
.free:
    reg 0x3, ah
    ret

setup:
    db 0x0, 0x21, 0xe, 0x48, 0xa, 0, 0xb, 0, 0xc, 0x04, 0xd, 0x02, 0x1, FIRST, 0x2, LAST, 0x3, FIRST
    db 0x7, 0xff, 0xf, 0, 0x0, 0x61, 1, 0x52, 2, 0x54, 3, 0, 4, 0x12, 5, 0x34, 6, 0x56, 7, FIRST + 1
    db 0x0, 0x22, 0xd, 0, 0xff
arp:
    times 6 db 0xff
    db 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1
    db 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2
    times 60 - ($ - arp) db 0
arp_end:
dhcp:
    times 6 db 0xff
    db 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0
    db 0x45, 0, 1, 0x48, 0, 0, 0, 0, 64, 17, 0x79, 0xa6, 0, 0, 0, 0, 255, 255, 255, 255
    db 0, 68, 0, 67, 1, 0x34, 0, 0
    db 1, 1, 6, 0, 'ABCD'
    times 20 db 0
    db 0x52, 0x54, 0, 0x12, 0x34, 0x56
    times 10 + 64 + 128 db 0
    db 99, 130, 83, 99, 53, 1, 1, 255 ; DISCOVER
    times 342 - ($ - dhcp) db 0
dhcp_end:
no_card db "no card", 10, 0
found db "CARD FOUND", 10, 0
arp_ok db "ARP OK", 10, 0
udp_ok db "UDP OK", 10, 0
%ifndef COM
    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
%endif
ASM
nasm -f bin -o packet.bin packet.asm || die "nasm"
run 'wait-debug "CARD FOUND" 1
wait-debug "ARP OK" 5
wait-debug "UDP OK" 5
info network' -M isapc -cpu 8086 -m 640K -bios ./packet.bin
grep -q 'model=ne2k_isa' out.txt || die "info network does not show the card"
# Without a cable there is no answer, and nothing else goes wrong.
run 'wait-debug "CARD FOUND" 1
wait 2
info network' -M isapc -cpu 8086 -m 640K -bios ./packet.bin -device ne2k_isa
grep -q 'link=off' out.txt || die "a card without a back end has a link"
# Under DOS, on both boards.
if [ -e "$CORPUS/images/freedos/fd144.img" ] && command -v mcopy >/dev/null; then
    nasm -DCOM -f bin -o packet.com packet.asm || die "nasm"
    cp "$CORPUS/images/freedos/fd144.img" dos.img
    chmod u+w dos.img
    mcopy -i dos.img packet.com ::PACKET.COM
    for board in isapc pc; do
        run 'wait-screen "A:\>" 60
type "packet\n"
wait-debug "CARD FOUND" 20
wait-debug "ARP OK" 5
wait-debug "UDP OK" 5
wait 1
type "ver\n"
wait-screen "FreeCom" 20' -M $board -fda dos.img -device ne2k_isa,netdev=n0 -netdev user,id=n0
    done
else
    echo "no FreeDOS image or no mcopy: not tried under DOS" >&2
fi
# The same over a socket to QEMU, whose user-mode network answers: both speak one format.
command -v qemu-system-i386 >/dev/null || exit 0
qemu-system-i386 -M none -display none -monitor none -serial none -netdev user,id=u -netdev hubport,id=h0,hubid=0,netdev=u \
    -netdev stream,id=s,server=on,addr.type=unix,addr.path=lan.sock -netdev hubport,id=h1,hubid=0,netdev=s 2>qemu.log &
qemu=$!
trap 'kill $qemu 2>/dev/null || true' EXIT
for i in $(seq 100); do [ -S lan.sock ] && break; sleep 0.1; done
[ -S lan.sock ] || { cat qemu.log >&2; exit 0; } # an older QEMU has no stream back end
run 'wait-debug "ARP OK" 20
wait-debug "UDP OK" 20
info network' -M isapc -cpu 8086 -m 640K -bios ./packet.bin -device ne2k_isa,netdev=s \
    -netdev stream,id=s,addr.type=unix,addr.path=lan.sock
grep -q 'connected, 2 out' out.txt || { cat out.txt; die "the frames did not go over the socket"; }
exit 0
