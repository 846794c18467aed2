; Descriptor tables and task states, and how they are made fresh for each check.

section .text
                bits    32

; Once: the IDT's master copy and the real-mode vectors.
build_tables:   mov     edi, master_idt
                mov     eax, stub
                mov     ecx, 256
.gate:          mov     edx, eax
                and     edx, 0xFFFF
                or      edx, KCODE << 16
                mov     [edi], edx
                mov     edx, eax
                and     edx, 0xFFFF0000
                or      edx, (A_INT32 | A_DPL3) << 8
                mov     [edi + 4], edx
                add     eax, 10
                add     edi, 8
                loop    .gate
                mov     edi, 0
                mov     eax, (REAL_SEG << 16) + real_stub - BASE
                mov     ecx, 256
.vector:        stosd
                add     eax, 3
                loop    .vector
                ret

fresh_tables:   cld
                mov     esi, master
                mov     edi, live
                mov     ecx, (master_end - master) / 4
                rep movsd
                mov     esi, master_idt
                mov     edi, idt
                mov     ecx, 512
                rep movsd
                mov     edi, iomap
                mov     ecx, 0x2000 / 4         ; all ports but a few are allowed
                xor     eax, eax
                rep stosd
                mov     dword [edi], 0xFF
                mov     edi, redirection
                mov     ecx, 8
                mov     eax, -1
                rep stosd
                lgdt    [gdtr]
                lidt    [idtr]
                mov     ax, LDT
                lldt    ax
                mov     ax, TSS_MAIN
                ltr     ax
                ret

%macro entry 4                                  ; base, limit, access byte, flags
                dw      (%2) & 0xFFFF, (%1) & 0xFFFF
                db      ((%1) >> 16) & 0xFF, %3, (((%2) >> 16) & 15) | ((%4) << 4), ((%1) >> 24) & 0xFF
%endmacro

section .data
                align   16
                align   16
; The addresses are written as numbers from here on: live = LIVE, laid out as master.
LIVE            equ     0x10000
live            equ     LIVE
gdt             equ     live
ldt             equ     gdt + BEYOND
tss_main        equ     ldt + 0x20
tss_b           equ     tss_main + tss_size
tss_c           equ     tss_b + tss_size
idt             equ     LIVE + 0x800
; The main TSS ends with the redirection and I/O permission bitmaps.
redirection     equ     LIVE + 0x1000 - 32
iomap           equ     LIVE + 0x1000
IOMAP_OFFSET    equ     iomap - tss_main

master:
                entry   0, 0, 0, 0
                entry   0, 0xFFFFF, A_CODE, D_FLAT
                entry   0, 0xFFFFF, A_DATA, D_FLAT
                entry   BASE, 0xFFFF, A_CODE, 0
                entry   BASE, 0xFFFF, A_DATA, 0
                entry   0, 0xFFFFF, A_CODE | A_DPL3, D_FLAT
                entry   0, 0xFFFFF, A_DATA | A_DPL3, D_FLAT
                entry   0, 0xFFFFF, A_CODE | 0x20, D_FLAT
                entry   0, 0xFFFFF, A_DATA | 0x20, D_FLAT
                entry   0, 0xFFFFF, A_CODE | 0x40, D_FLAT
                entry   0, 0xFFFFF, A_DATA | 0x40, D_FLAT
                entry   tss_main, IOMAP_OFFSET + 0x2000, A_TSS32, 0
                entry   tss_b, tss_size - 1, A_TSS32, 0
                entry   tss_c, tss16_size - 1, A_TSS16, 0
                entry   ldt, 0x1F, A_LDT, 0
                entry   BASE, 0xFFFF, A_CODE | A_DPL3, 0
                times   BEYOND - ($ - master) db 0
                ; LDT
                entry   0, 0xFFFFF, A_DATA, D_FLAT
                entry   0, 0xFFFFF, A_DATA | A_DPL3, D_FLAT
                entry   0, 0xFFFFF, A_CODE, D_FLAT
                entry   0, 0, 0, 0
                ; main TSS
                istruc tss
                at .esp0, dd KSTACK
                at .ss0, dd KDATA
                at .esp1, dd STACK1
                at .ss1, dd DATA1
                at .esp2, dd STACK2
                at .ss2, dd DATA2
                at .ldt, dd LDT
                at .iomap, dw IOMAP_OFFSET
                iend
                ; the second task; its EIP is set by the check
                istruc tss
                at .esp0, dd KSTACK
                at .ss0, dd KDATA
                at .cr3, dd 0
                at .eflags, dd 2
                at .eax, dd 0xB0000001
                at .ecx, dd 0xB0000002
                at .edx, dd 0xB0000003
                at .ebx, dd 0xB0000004
                at .esp, dd BSTACK
                at .ebp, dd 0xB0000005
                at .esi, dd 0xB0000006
                at .edi, dd 0xB0000007
                at .es, dd KDATA
                at .cs, dd KCODE
                at .ss, dd KDATA
                at .ds, dd KDATA
                at .fs, dd KDATA
                at .gs, dd KDATA
                at .ldt, dd 0
                at .iomap, dw tss_size
                iend
                ; the 16-bit task
                istruc tss16
                at .flags, dw 2
                at .ax, dw 0xC001
                at .cx, dw 0xC002
                at .dx, dw 0xC003
                at .bx, dw 0xC004
                at .sp, dw 0xFFF0
                at .bp, dw 0xC005
                at .si, dw 0xC006
                at .di, dw 0xC007
                at .es, dw KDATA
                at .cs, dw CODE16
                at .ss, dw KDATA
                at .ds, dw KDATA
                iend
                align   4
master_end:
master_idt:     times   512 dd 0
section .text
