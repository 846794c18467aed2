; From the reset vector to 32-bit code in RAM; the order of the subjects; the end.

ROM_BASE        equ     0xFFFE0000              ; the image at the top of the address space
MAGIC           equ     0x74736554
%define in_rom(label) ((label) - BASE + ROM_BASE)

section .text
                bits    32
; In RAM, flat segments.
start:          mov     esp, MAIN_STACK
                call    serial_init
                call    find_features
                call    apic_init
                call    build_tables
                mov     eax, [PERSIST + persist.count]
                mov     [resume], eax
                mov     dword [PERSIST + persist.count], 0
                cmp     dword [PERSIST + persist.magic], MAGIC
                jne     .cold
                call    after_reset
                jmp     .run
.cold:          mov     dword [PERSIST + persist.magic], MAGIC
                mov     dword [resume], 0
                mov     dword [PERSIST + persist.passed], 0
                mov     dword [PERSIST + persist.failed], 0
                mov     dword [PERSIST + persist.expected], 0
.run:
                call    segments
                call    limits
                call    gates
                call    privilege
                call    tasks
                call    v86
                call    paging
                call    pae
                call    debug
                call    frames
                call    a20
                call    wrap
                call    lock_prefix
                call    length
                call    smc
                call    priority
                call    shadow
                call    rep_prefix
                call    nmi
                call    triple
                call    flush_check
                mov     dword [PERSIST + persist.magic], 0
                call    print_total
                jmp     power_off

; What the CPU has, into [features].
find_features:  mov     dword [features], NOT_TCG
                pushfd
                pop     eax
                mov     ecx, eax
                xor     eax, FL_AC | FL_ID
                push    eax
                popfd
                pushfd
                pop     eax
                xor     eax, ecx
                test    eax, FL_AC
                jz      .end
                or      dword [features], HAS_486
                test    eax, FL_ID
                jz      .end
                mov     eax, 1
                cpuid
                and     edx, ~(HAS_486 | HAS_NX | NOT_TCG)
                or      [features], edx
                mov     eax, 0x40000000         ; QEMU's TCG says so
                cpuid
                cmp     ebx, "TCGT"
                jne     .extended
                and     dword [features], ~NOT_TCG
.extended:      mov     eax, 0x80000000
                cpuid
                cmp     eax, 0x80000001
                jb      .end
                cmp     eax, 0x8000FFFF
                ja      .end
                mov     eax, 0x80000001
                cpuid
                and     edx, HAS_NX
                or      [features], edx
.end:           push    dword 2
                popfd
                ret

; A local APIC starts with its pins masked: LINT0 takes the 8259's interrupts, LINT1 NMI (SDM 3A 10.4.7.1).
apic_init:      test    dword [features], HAS_APIC
                jz      .end
                mov     dword [APIC + 0xF0], 0x1FF
                mov     dword [APIC + 0x350], 0x700
                mov     dword [APIC + 0x360], 0x400
.end:           ret

; As a PC with PIIX4 power management is turned off, as Bochs is, as QEMU's debug-exit device does.
power_off:      mov     dx, COM1 + 5            ; all text has left
                mov     ecx, 0x100000
.wait:          in      al, dx
                test    al, 0x40
                loopz   .wait
                mov     eax, 0x80000B40         ; PM base = B000
                mov     ebx, 0x0000B001
                call    pci_write
                mov     eax, 0x80000B80         ; enabled
                mov     ebx, 1
                call    pci_write
                mov     eax, 0x80000B04         ; I/O space
                mov     ebx, 1
                call    pci_write
                mov     dx, 0xB004              ; SLP_EN
                mov     ax, 0x2000
                out     dx, ax
                mov     esi, .bochs
                mov     dx, 0x8900
                mov     ecx, 8
                rep outsb
                mov     dx, 0x501
                xor     eax, eax
                out     dx, al
.halt:          cli
                hlt
                jmp     .halt
.bochs:         db      "Shutdown"

pci_write:      mov     dx, 0xCF8
                out     dx, eax
                mov     dx, 0xCFC
                mov     eax, ebx
                out     dx, eax
                ret

; In ROM. CS base is FFFF0000 and only relative jumps and CS-relative reads work.
                bits    16
boot_gdt:       dq      0
                dq      0x00CF9B000000FFFF
                dq      0x00CF93000000FFFF
boot_gdtr:      dw      23
                dd      in_rom(boot_gdt)

                bits    32
boot32:         mov     ax, KDATA
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                in      al, 0x92                ; A20 on, no reset
                or      al, 2
                and     al, ~1
                out     0x92, al
                mov     esi, ROM_BASE
                mov     edi, BASE
                mov     ecx, 0x20000 / 4
                cld
                rep movsd
                mov     eax, start
                jmp     eax

section .boot   start=0x3FF00
                bits    16
boot16:         cli
                a32 o32 lgdt [cs:dword boot_gdtr_top - 0x30000]
                mov     eax, cr0
                and     eax, ~0x60000000        ; caches on
                or      al, CR0_PE
                mov     cr0, eax
                jmp     dword KCODE:in_rom(boot32)
boot_gdtr_top:  dw      23
                dd      in_rom(boot_gdt)
section .text
                bits    32
