; Which processor is this? 8086 instructions only, up to the point where a 386 is certain.
;
; Intel's documented method ("Intel Processor Identification and the CPUID Instruction", AP-485)
; looks at bits of FLAGS that can or cannot be changed:
;   8086   bits 12-15 read as ones, whatever was written
;   286    bits 12-15 read as zeros in real mode
;   386    bit 18 (AC) of EFLAGS cannot be set
;   486    AC can be set; bit 21 (ID) only where CPUID exists

                cpu     8086
                bits    16
section .text

CPU_8086        equ     0
CPU_286         equ     1
CPU_386         equ     2
CPU_486         equ     3
CPU_CPUID       equ     4

detect_cpu:     pushf
                pop     bx
                cli                             ; no interrupt may see the flags that we try
                mov     ax, bx
                and     ax, 0x0CFF              ; try to clear bits 12-15 (and keep IF and TF off)
                call    .try_flags
                cmp     ah, 0xF0
                mov     al, CPU_8086
                je      .store
                mov     ax, bx
                and     ax, 0x0CFF
                or      ax, 0xF000              ; try to set them
                call    .try_flags
                or      ah, ah
                mov     al, CPU_286
                jz      .store
                call    detect_32bit
.store:         mov     [cpu_kind], al
                push    bx
                popf
                ret

; FLAGS = AX; AX = bits 12-15 of what FLAGS then holds.
.try_flags:     push    ax
                popf
                pushf
                pop     ax
                and     ax, 0xF000
                ret

                cpu     486
; AL = CPU_386, CPU_486 or CPU_CPUID.
detect_32bit:   mov     ecx, 1 << 18            ; AC
                call    .can_toggle
                mov     al, CPU_386
                jz      .end
                mov     ecx, 1 << 21            ; ID
                call    .can_toggle
                mov     al, CPU_486
                jz      .end
                mov     al, CPU_CPUID
.end:           ret

; ZF=0 if the EFLAGS bit ECX can be changed.
.can_toggle:    pushfd
                pop     eax
                mov     edx, eax
                xor     eax, ecx
                push    eax
                popfd
                pushfd
                pop     eax
                push    edx
                popfd
                xor     eax, edx
                test    eax, ecx
                ret
                cpu     8086

; Print what kind of processor this is.
print_cpu:      mov     bl, [cpu_kind]
                xor     bh, bh
                shl     bx, 1
                mov     si, [.names + bx]
                call    print
                cmp     byte [cpu_kind], CPU_CPUID
                je      .cpuid
                ret

                cpu     586
.cpuid:         xor     eax, eax                ; CPUID leaf 0: the vendor's name in EBX, EDX, ECX
                cpuid
                mov     [cpu_vendor], ebx
                mov     [cpu_vendor + 4], edx
                mov     [cpu_vendor + 8], ecx
                mov     si, cpu_vendor
                call    print
                mov     eax, 1                  ; leaf 1: family in bits 8-11 of EAX
                cpuid
                cpu     8086
                say     ", family "
                mov     al, ah
                and     ax, 0x000F
                jmp     print_dec

section .data
.names:         dw      .8086, .286, .386, .486, .cpuid_text
.8086:          db      "8086 or 8088: lessons 4 to 6 need a 386", 0
.286:           db      "286: lessons 4 to 6 need a 386", 0
.386:           db      "386", 0
.486:           db      "486 without CPUID", 0
.cpuid_text:    db      "CPUID says ", 0

section .text
; A lesson for a 386 starts with this: ZF=1 and an explanation on the page if the processor is too
; old. DI = lesson number as a character.
need_386:       cmp     byte [cpu_kind], CPU_386
                jb      .too_old
                or      al, 1                   ; ZF=0
                ret
.too_old:       say     NL, B, "This lesson needs a 386 or newer processor.", NL, NL
                say     T, "The FLAGS test says that this one is older: ", W
                call    print_cpu
                say     ".", NL, NL
                say     "On an 8086, bits 12 to 15 of FLAGS always read as ones; on a 286 in real mode", NL
                say     "they always read as zeros. Only from the 386 on can a program change them.", NL
                mov     word [cursor], cell(23, LEFT)
                say     B, "LESSON "
                mov     ax, di
                call    print_char
                say     " NEEDS A 386"
                call    page_end_key
                xor     ax, ax                  ; ZF=1
                ret

section .bss
cpu_kind:       resb    1
cpu_vendor:     resb    13                      ; 12 characters and the final 0
