; Self-modifying code: on the P6 family and later a store is seen by the next instruction fetched, also
; through another linear address for the same one; older ones after a jump (SDM 3A 8.1.3, 11.6). The
; checks jump between store and execution where the manual asks for it.

smc:            subject "self-modifying code"
                check   "3A 8.1.3", "code changed, then jumped to"
                try     k32
                mov     byte [.imm1 + 1], 2
                jmp     short .imm1
.imm1:          mov     al, 1
                yrt
                is      [after + regs.eax], 2
                mov     byte [.imm1 + 1], 1
                check   "3A 8.1.3", "a loop that changes its own instruction: every pass sees the last store"
                mov     ecx, 10
                mov     byte [.imm2 + 2], 0
                try     k32
                xor     eax, eax
.loop:          jmp     short .imm2
.imm2:          add     eax, byte 0
                inc     byte [.imm2 + 2]
                loop    .loop
                yrt
                is      [after + regs.eax], 45
                check   "3A 8.1.3", "code that ran many times, changed from another function"
                mov     dword [SCRATCH], 0xC301B0 ; MOV AL, 1; RET
                mov     ebx, SCRATCH
                try     k32
                xor     edx, edx
                mov     ecx, 200
.run1:          call    ebx
                add     edx, eax
                loop    .run1
                mov     byte [ebx + 1], 2
                mov     ecx, 100
.run2:          call    ebx
                add     edx, eax
                loop    .run2
                yrt
                is      [after + regs.edx], 400
                check   "3A 8.1.3", "an instruction across two pages, changed in the second one"
                mov     byte [at_page(1) - 1], 0xB8 ; MOV EAX, 11111111; RET
                mov     dword [at_page(1)], 0x11111111
                mov     byte [at_page(1) + 4], 0xC3
                mov     ebx, at_page(1) - 1
                try     k32
                mov     ecx, 50
.cross1:        call    ebx
                loop    .cross1
                mov     edx, eax
                mov     dword [ebx + 1], 0x22222222
                call    ebx
                yrt
                is      [after + regs.edx], 0x11111111
                is      [after + regs.eax], 0x22222222
                check   "3A 8.1.3", "and in the first one: the opcode"
                mov     byte [at_page(1) - 1], 0xB8
                mov     ebx, at_page(1) - 1
                try     k32
                call    ebx
                mov     byte [ebx], 0xB9        ; MOV ECX
                call    ebx
                yrt
                is      [after + regs.ecx], 0x22222222
                check   "3A 11.6", "code changed through another linear address"
                call    identity
                page    5, 7, 4
                mov     dword [at_page(4)], 0xC301B0
                call    paging_on
                mov     ebx, at_page(4)
                xor     eax, eax
                try     k32
                mov     ecx, 50
.alias1:        call    ebx
                loop    .alias1
                mov     edx, eax
                mov     byte [ebx + 0x1001], 2  ; page 5 is the same memory
                mov     esi, cr3
                mov     cr3, esi                ; (serializes)
                call    ebx
                yrt
                is      [after + regs.edx], 1
                is      [after + regs.eax], 2
                check   "3A 4.10", "another page mapped where code ran: the new code"
                call    identity
                mov     dword [at_page(4)], 0xC301B0
                mov     dword [at_page(5)], 0xC302B0
                call    paging_on
                mov     ebx, at_page(4)
                xor     eax, eax
                try     k32
                mov     ecx, 50
.remap:         call    ebx
                loop    .remap
                mov     edx, eax
                page    4, 7, 5
                mov     esi, cr3
                mov     cr3, esi
                call    ebx
                yrt
                is      [after + regs.edx], 1
                is      [after + regs.eax], 2
                check   "3A 8.1.3", "REP MOVS over code"
                mov     dword [SCRATCH], 0xC301B0
                mov     dword [SCRATCH + 0x100], 0xC302B0
                mov     ebx, SCRATCH
                try     k32
                mov     ecx, 50
.movs:          call    ebx
                loop    .movs
                mov     esi, SCRATCH + 0x100
                mov     edi, ebx
                mov     ecx, 1
                rep movsd
                call    ebx
                yrt
                movzx   eax, byte [after + regs.eax]
                is      eax, 2
                check   "3A 8.1.3", "the same bytes as 16- and as 32-bit code"
                mov     dword [SCRATCH], 0x909001B8 ; MOV EAX, 90909001; INT 30 or MOV AX, 9001; NOP; NOP; INT 30
                mov     dword [SCRATCH + 4], 0x0030CD90
                descriptor T0, SCRATCH, 0xFFFF, A_CODE, 0
                mov     ebx, SCRATCH
                expect  ANY
                try     k32
                jmp     ebx
                yrt
                is      [after + regs.eax], 0x90909001
                expect  ANY
                try     k32
                jmp     T0:0
                yrt
                is      [after + regs.eax], 0x9001
                ret
