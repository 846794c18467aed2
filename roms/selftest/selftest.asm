; Self-test ROM: how the CPU's system level behaves, checked against the manual.
;
; A 128 KiB BIOS image (-bios). It starts at the reset vector of a 386 or newer, copies itself to RAM
; at 20000, and runs its checks in 32-bit protected mode, with excursions to all other modes. One line
; per check goes to ports E9 and 402 and to COM1 (115200 baud), the last one is "N passed, N failed";
; then it turns the machine off.
;
; References: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM); a check's "3A 5.4.1"
; is its volume 3A, section 5.4.1.
;
; Assemble:  nasm -f bin -I roms/selftest/ -o selftest.bin roms/selftest/selftest.asm

                cpu     686
                bits    32
                org     0x20000

section .low    align=16                        ; 16-bit code and what it addresses: the first 64 KiB
image:                                          ; = BASE, as a label: offsets from it are numbers
section .text   follows=.low align=16
section .rodata follows=.text align=16
section .data   follows=.rodata align=16
section .reset  start=0x3FFF0
section .text

                %include "macros.inc"

                %include "boot.asm"
                %include "harness.asm"
                %include "print.asm"
                %include "wrap.asm"
                %include "a20.asm"
                %include "v86.asm"
                %include "length.asm"
                %include "segments.asm"
                %include "limits.asm"
                %include "gates.asm"
                %include "privilege.asm"
                %include "tasks.asm"
                %include "paging.asm"
                %include "pae.asm"
                %include "debug.asm"
                %include "frames.asm"
                %include "lock.asm"
                %include "smc.asm"
                %include "priority.asm"
                %include "shadow.asm"
                %include "rep.asm"
                %include "nmi.asm"
                %include "triple.asm"
                %include "tables.asm"

section .reset
                bits    16
                jmp     near boot16
                times   16 - ($ - $$) db 0
