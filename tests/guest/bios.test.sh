# -bios runs any ROM from the reset vector; POST codes and debug text can be seen (-trace post, -debugcon).
. "$(dirname "$0")/lib.sh"
tool nasm

# A ROM of our own: POST codes, text to both debug ports, then power off as a PC does: the PM base of the
# PIIX4 (PCI 0:1.3, register 40) is set and enabled, then SLP_EN is written to PM1_CNT.
cat >rom.asm <<'ASM'
    cpu %1
    org 0
start:
    mov al, 0x11
    out 0x80, al
    mov si, text402
    mov dx, 0x402
    call say
    mov si, textE9
    mov dx, 0xe9
    call say
    mov al, 0xa5
    out 0x80, al
%ifdef POWER_OFF
    mov eax, 0x80000b40
    mov ebx, 0x0000b001
    call pci
    mov eax, 0x80000b80
    mov ebx, 0x00000001
    call pci
    mov eax, 0x80000b04
    mov ebx, 0x00000001
    call pci
    mov dx, 0xb004
    mov ax, 0x2000
    out dx, ax
%endif
    cli
    hlt
%ifdef POWER_OFF
pci:
    mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    mov eax, ebx
    out dx, eax
    ret
%endif
say:
    cs lodsb
    test al, al
    jz .done
    out dx, al
    jmp say
.done:
    ret
text402 db "hello 402", 10, 0
textE9 db "hello E9", 10, 0
    times 0xfff0 - ($ - $$) db 0xff
    jmp 0xf000:start
    times 0x10000 - ($ - $$) db 0xff
ASM
sed -i 's/%1/386/' rom.asm
nasm -f bin -DPOWER_OFF -o rom386.bin rom.asm || die "nasm"
sed -i 's/cpu 386/cpu 8086/' rom.asm
nasm -f bin -o rom8086.bin rom.asm || die "nasm"

# `call` needs a stack; the ROM has none of its own, so it borrows what RAM is at SS:SP after reset.
timeout $((60 * SLOW)) "$retrace" -display none -bios rom386.bin -trace post -D log.txt -debugcon file:debug.txt </dev/null ||
    die "the ROM did not run to its end"
[ "$(cat debug.txt)" = "hello 402
hello E9" ] || { cat debug.txt; die "not the ROM's text on the debug ports"; }
grep -q 'post.*11' log.txt || { cat log.txt; die "POST code 11 is not in the trace"; }
grep -q 'post.*[aA]5' log.txt || { cat log.txt; die "POST code a5 is not in the trace"; }

# One port alone, and standard output.
timeout $((60 * SLOW)) "$retrace" -display none -bios rom386.bin -debugcon stdio -global isa-debugcon.iobase=0xe9 </dev/null >out.txt
[ "$(cat out.txt)" = "hello E9" ] || { cat out.txt; die "not port E9 alone"; }

# The 8086 and the ISA board; this ROM halts for ever, which a script sees.
for cpu in 8086 186 286; do
    run 'wait-debug "hello E9" 1' -M isapc -cpu $cpu -m 64K -bios rom8086.bin
done

# What cannot be a ROM.
: >empty.bin
truncate -s 17M large.bin
for rom in empty.bin large.bin nowhere.bin; do
    timeout 60 "$retrace" -display none -bios ./$rom </dev/null 2>err.txt && die "$rom was accepted"
    [ "$(grep -c "$rom" err.txt)" = 1 ] || { cat err.txt; die "not one sentence about $rom"; }
done
exit 0
