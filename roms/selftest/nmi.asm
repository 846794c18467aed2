; Non-maskable interrupts and how they block one another (SDM 3A 6.7). A local APIC sends them to itself;
; without one somebody outside has to raise them, one at each "NMI please" (Retrace's guest test does, by the
; monitor's word nmi). Where nobody does, these checks are left out.

NMI_PATIENCE    equ     10_000_000              ; turns of the waiting loop

; Asks for an NMI and waits until [nmi_count] is AL or patience ends: ZF = 1, it came.
nmi_ask:        push    esi
                push    ecx
                mov     esi, .text
                test    dword [features], HAS_APIC
                jnz     .apic
                call    put_text
                jmp     .patience
.apic:          mov     ecx, [APIC + 0x20]      ; ICR: NMI to this CPU's identifier
                and     ecx, 0xFF000000
                mov     [APIC + 0x310], ecx
                mov     dword [APIC + 0x300], 0x4400
.patience:
                mov     ecx, NMI_PATIENCE
.wait:          cmp     [nmi_count], al
                je      .end
                dec     ecx
                jnz     .wait
                cmp     [nmi_count], al
.end:           pop     ecx
                pop     esi
                ret
.text:          db      "?? NMI please", 10, 0

nmi_gate:       mov     [idt_at(NMI)], ax
                shr     eax, 16
                mov     [idt_at(NMI) + 6], ax
                mov     byte [nmi_count], 0
                mov     byte [nmi_nested], 0
                ret

; Only counts.
nmi_handler:    inc     byte [nmi_count]
                iretd

; The first one asks for a second one and waits; it must not come before IRET.
nmi_blocking:   inc     byte [nmi_count]
                cmp     byte [nmi_count], 1
                jne     .second
                pushad
                mov     al, 2
                call    nmi_ask
                mov     al, [nmi_count]
                mov     [nmi_nested], al        ; still 1
                popad
                iretd
.second:        mov     eax, [esp]              ; where the first one returned to
                mov     [nmi_second], eax
                iretd

; As above, but an exception's IRET in between opens the door.
nmi_opening:    inc     byte [nmi_count]
                cmp     byte [nmi_count], 1
                jne     .second
                pushad
                mov     al, 2
                call    nmi_ask
                int     0x81                    ; its handler: IRET
                mov     al, [nmi_count]
                mov     [nmi_nested], al        ; 2
                popad
.second:        iretd
nmi_inner:      iretd

nmi:            call    skipping
                jb      near nmi_none
                call    flush_check
                mov     eax, cr0
                and     eax, ~CR0_PG
                mov     cr0, eax
                call    fresh_tables
                mov     eax, nmi_handler
                call    nmi_gate
                mov     al, 1
                call    nmi_ask
                jne     near nmi_none
                subject "NMI"
                check   "3A 6.7", "an NMI comes with IF = 0"
                mov     eax, nmi_handler
                call    nmi_gate
                mov     al, 1
                call    nmi_ask
                movzx   eax, byte [nmi_count]
                is      eax, 1
                check   "3A 6.7.1", "a second NMI waits for the IRET of the first one's handler"
                mov     eax, nmi_blocking
                call    nmi_gate
                mov     al, 2
                call    nmi_ask
                movzx   eax, byte [nmi_nested]
                is      eax, 1
                movzx   eax, byte [nmi_count]
                is      eax, 2
                check   "3A 6.7.1", "any IRET ends the blocking: that of an INT in the handler"
                mov     eax, nmi_opening
                call    nmi_gate
                mov     eax, nmi_inner
                mov     [idt_at(0x81)], ax
                shr     eax, 16
                mov     [idt_at(0x81) + 6], ax
                mov     al, 2
                call    nmi_ask
                movzx   eax, byte [nmi_nested]
                is      eax, 2
                ret
nmi_none:       add     dword [PERSIST + persist.count], 3 ; as if they had been made
                ret

section .data
nmi_second:     dd      0
nmi_count:      db      0
nmi_nested:     db      0
section .text
