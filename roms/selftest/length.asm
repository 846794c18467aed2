; The limit of 15 bytes for an instruction, and prefixes (SDM 3A 6.15 #GP; 2A 2.1.1).

%macro prefixes 3+                              ; how many, which byte, instruction
                times   %1 db %2
                %3
%endmacro

length:         subject "instruction length"
                check   "3A 6.15 #GP", "15 bytes are allowed"
                try     u32
                times   14 db 0x66
                nop
                yrt
                check   "3A 6.15 #GP", "16 bytes: #GP(0)"
                expect  GP, 0
                try     u32
                times   15 db 0x66
                nop
                yrt
                check   "3A 6.15 #GP", "15 bytes with operands: 9 prefixes, opcode, ModRM, SIB, displacement"
                mov     ebx, SCRATCH
                mov     dword [SCRATCH + 0x44], 0x4444
                try     u32
                times   8 db 0x3E
                mov     ecx, [dword ebx + esi * 2 + 0x44]
                yrt
                is      [after + regs.ecx], 0x4444
                check   "3A 6.15 #GP", "a 16-byte instruction with operands: #GP(0), nothing is read"
                mov     ebx, SCRATCH
                expect  GP, 0
                try     u32
                times   9 db 0x3E
                mov     ecx, [dword ebx + esi * 2 + 0x44]
                yrt
                check   "3A 6.15 #GP", "an immediate that makes it 16 bytes: #GP(0)"
                mov     ebx, SCRATCH
                mov     dword [SCRATCH + 0x44], 0
                expect  GP, 0
                try     u32
                times   5 db 0x3E
                mov     dword [dword ebx + esi * 2 + 0x44], 0x12345678
                yrt
                is      [SCRATCH + 0x44], 0
                check   "3A 6.15 #GP", "an endless row of prefixes: #GP(0)"
                expect  GP, 0
                try     u32
                times   100 db 0x66
                nop
                yrt
                check   "3A 6.15 #GP", "also in V86 mode"
                expect  GP, 0
                try     v86
                times   15 db 0x26
                nop
                yrt
                check   "3A 6.15 #GP", "also in real mode"
                expect  GP
                try     real
                times   15 db 0x26
                nop
                yrt
                check   "3A 6.15 #GP", "15 bytes across a page"
                call    identity
                mov     edi, at_page(5) - 7
                mov     al, 0x66
                mov     ecx, 14
                rep stosb
                mov     byte [edi], 0x90
                mov     word [edi + 1], 0x30CD
                call    paging_on
                mov     ebx, at_page(5) - 7
                expect  ANY
                try     u32
                jmp     ebx
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eip], at_page(5) + 10
                check   "3A 6.15 #GP", "15 prefixes that end with their page: #GP(0), the missing next page is not asked for"
                call    identity
                page    5, 0
                mov     edi, at_page(5) - 15
                mov     al, 0x66
                mov     ecx, 15
                rep stosb
                call    paging_on
                mov     ebx, at_page(5) - 15
                expect  ANY
                try     u32
                jmp     ebx
                yrt
                is      [after + regs.vector], GP
                is      [after + regs.eip], at_page(5) - 15
                check   "3A 6.15 #PF", "14 prefixes that end with their page: #PF for the next one"
                call    identity
                page    5, 0
                mov     edi, at_page(5) - 14
                mov     al, 0x66
                mov     ecx, 14
                rep stosb
                call    paging_on
                mov     ebx, at_page(5) - 14
                expect  PF, PF_U, at_page(5) - 14
                cr2_is  at_page(5)
                try     u32
                jmp     ebx
                yrt
                check   "2A 2.1.1", "the last segment override counts"
                descriptor T0, SCRATCH + 0x1000, 0xFFF, A_DATA | A_DPL3, D_BIG
                mov     dword [SCRATCH + 0x1000], 0xF5F5
                mov     eax, T0 | 3
                xor     ebx, ebx
                try     u32
                mov     fs, ax
                db      0x2E, 0x65, 0x64        ; CS GS FS
                mov     ecx, [ebx]
                yrt
                is      [after + regs.ecx], 0xF5F5
                check   "2A 2.1.1", "operand- and address-size prefixes together"
                mov     dword [0x7FF0], 0x11223344
                mov     ebx, 0xFFFF7FF0
                mov     ecx, -1
                try     u32
                db      0x66, 0x67, 0x8B, 0x0F  ; MOV CX, [BX]
                yrt
                is      [after + regs.ecx], 0xFFFF3344
                check   "2A 2.1.1", "REP before other instructions is ignored"
                mov     ecx, 5
                try     u32
                db      0xF3
                inc     eax
                yrt
                is      [after + regs.eax], 1
                is      [after + regs.ecx], 5
                ret
