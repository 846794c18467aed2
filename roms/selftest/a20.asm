; The A20 gate: address bit 20 is masked, behind paging (SDM 3A 9.10 A20M#, 20.1.1; PIIX3 datasheet, port 92).

; Either source can hold A20 on: the keyboard controller's output port and port 92.
a20_off:        push    eax
                mov     ah, 0xDD
                call    a20_kbc
                in      al, 0x92
                and     al, ~3
                out     0x92, al
                pop     eax
                ret
a20_on:         push    eax
                mov     ah, 0xDF
                call    a20_kbc
                in      al, 0x92
                or      al, 2
                and     al, ~1
                out     0x92, al
                pop     eax
                ret

; AH to the output port of the 8042 (command D1).
a20_kbc:        call    a20_ready
                mov     al, 0xD1
                out     0x64, al
                call    a20_ready
                mov     al, ah
                out     0x60, al
a20_ready:      push    ecx
                mov     ecx, 0x100000
.wait:          in      al, 0x64
                test    al, 2
                loopnz  .wait
                pop     ecx
                ret

a20:            subject "A20"
                check   "A20", "on: 170000 is not 070000"
                mov     dword [SCRATCH], 0x07070707
                mov     dword [SCRATCH + 0x100000], 0x17171717
                mov     ebx, [SCRATCH]
                is      ebx, 0x07070707
                is      [SCRATCH + 0x100000], 0x17171717
                check   "A20", "off: 170000 is 070000, for reading and writing"
                mov     dword [SCRATCH], 0x07070707
                mov     dword [SCRATCH + 0x100000], 0x17171717
                call    a20_off
                mov     ebx, [SCRATCH + 0x100000]
                mov     dword [SCRATCH + 0x100004], 0x99999999
                mov     ecx, [SCRATCH + 4]
                call    a20_on
                is      ebx, 0x07070707
                is      ecx, 0x99999999
                is      [SCRATCH + 0x100000], 0x17171717
                check   "A20", "off: 300000 is 200000"
                mov     dword [0x200000], 0x20202020
                mov     dword [0x300000], 0x30303030
                call    a20_off
                mov     ebx, [0x300000]
                call    a20_on
                is      ebx, 0x20202020
                is      [0x300000], 0x30303030
                check   "A20", "off: instructions are fetched from the masked address"
                mov     dword [SCRATCH], 0xC301B0   ; MOV AL, 1; RET
                mov     dword [SCRATCH + 0x100000], 0xC302B0 ; MOV AL, 2; RET
                call    a20_off
                mov     ecx, SCRATCH + 0x100000
                call    ecx
                movzx   ebx, al
                call    a20_on
                call    ecx
                movzx   ecx, al
                is      ebx, 1
                is      ecx, 2
                check   "A20", "off: physical addresses behind paging are masked"
                call    identity
                mov     dword [pte_at(4)], SCRATCH + 0x100000 + 7
                mov     dword [SCRATCH], 0x07070707
                mov     dword [SCRATCH + 0x100000], 0x17171717
                call    paging_on
                mov     edx, [at_page(4)]
                mov     ecx, edx
                call    a20_off
                mov     ebx, [at_page(4)]
                call    a20_on
                is      ecx, 0x17171717
                is      ebx, 0x07070707
                check   "3A 20.1.1", "real mode: FFFF:0510 is above 1 MiB with A20 on"
                mov     dword [0x500], 0x05000500
                mov     dword [0x100500], 0x15001500
                mov     eax, 0xFFFF
                try     real
                mov     ds, ax
                mov     ebx, [0x510]
                yrt
                is      [after + regs.ebx], 0x15001500
                check   "3A 20.1.1", "real mode: FFFF:0510 is 0500 with A20 off"
                mov     dword [0x500], 0x05000500
                mov     dword [0x100500], 0x15001500
                call    a20_off
                mov     eax, 0xFFFF
                try     real
                mov     ds, ax
                mov     ebx, [0x510]
                yrt
                call    a20_on
                is      [after + regs.ebx], 0x05000500
                ret
