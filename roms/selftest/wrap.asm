; Real mode and 16-bit code: what wraps at 64 KiB and what faults (SDM 3A 20.1; 1 3.7.5).

%macro real_check 2
                check   %1, %2
%endmacro

wrap:           subject "real mode and 16-bit wrap"
                real_check "3A 20.1.4", "INT n pushes FLAGS CS IP and clears IF, TF"
                mov     dword [run.eflags], FL_IF | FL_CF
                expect  0x21, 0, .int
                try     real
                int     0x21
.int:
                yrt
                flags   FL_IF | FL_CF, FL_IF | FL_CF
                is      [after + regs.entry], 0xFFEA
                real_check "3A 20.1.4", "#DE is a fault"
                expect  DE
                try     real
                div     cl
                yrt
                real_check "3A 20.1.4", "#UD has no error code"
                expect  UD
                try     real
                ud2
                yrt
                is      [after + regs.entry], 0xFFEA
                real_check "3A 20.1", "a word at FFFF: #GP"
                expect  GP
                try     real
                mov     ax, [0xFFFF]
                yrt
                real_check "3A 20.1", "a dword at FFFD: #GP"
                expect  GP
                try     real
                mov     eax, [0xFFFD]
                yrt
                real_check "3A 20.1", "a dword at FFFC"
                mov     dword [SCRATCH + 0xFFFC], 0xFFFC
                try     real
                mov     eax, [0xFFFC]
                yrt
                is      [after + regs.eax], 0xFFFC
                real_check "3A 20.1", "a stack word at FFFF: #SS"
                mov     ebp, 0xFFFF
                expect  SS_
                try     real
                mov     ax, [bp]
                yrt
                real_check "3A 20.1", "a 32-bit address above FFFF: #GP"
                mov     ebx, 0x10000
                expect  GP
                try     real
                mov     al, [ebx]
                yrt
                real_check "1 3.7.5", "16-bit address arithmetic wraps: BX + SI"
                mov     word [SCRATCH + 0x12], 0x7712
                mov     ebx, 0xFFFF8010
                mov     esi, 0x12348000
                try     real
                mov     ax, [bx + si + 2]
                yrt
                and     dword [after + regs.eax], 0xFFFF
                is      [after + regs.eax], 0x7712
                real_check "1 3.7.5", "LEA with a 16-bit address, 32-bit operand: zero-extended"
                mov     ebx, 0xFFFF
                mov     eax, -1
                try     real
                lea     eax, [bx + 2]
                yrt
                is      [after + regs.eax], 1
                real_check "2B PUSH", "a push at SP = 0 goes to FFFE"
                mov     eax, 0x1234
                try     real
                mov     bp, sp
                mov     sp, 0
                push    ax
                mov     cx, sp
                mov     sp, bp
                yrt
                movzx   eax, word [after + regs.ecx]
                is      eax, 0xFFFE
                movzx   eax, word [0x4FFFE]
                is      eax, 0x1234
                real_check "2B POP", "a pop at FFFE leaves SP = 0"
                mov     word [0x4FFFE], 0x4321
                try     real
                mov     bp, sp
                mov     sp, 0xFFFE
                pop     ax
                mov     cx, sp
                mov     sp, bp
                yrt
                movzx   eax, word [after + regs.ecx]
                is      eax, 0
                movzx   eax, word [after + regs.eax]
                is      eax, 0x4321
                real_check "2B LODS", "SI wraps from FFFF to 0"
                mov     esi, 0x1234FFFF
                try     real
                lodsb
                yrt
                is      [after + regs.esi], 0x12340000
                real_check "2B MOVS", "REP MOVSB wraps SI and DI"
                mov     byte [SCRATCH + 0xFFFF], 0xA1
                mov     byte [SCRATCH], 0xA2
                mov     esi, 0xFFFF
                mov     edi, 0x7F
                mov     ecx, 2
                try     real
                rep movsb
                yrt
                movzx   eax, word [SCRATCH + 0x7F]
                is      eax, 0xA2A1
                is      [after + regs.esi], 1
                real_check "2A JMP", "a short jump wraps IP at FFFF"
                mov     dword [SCRATCH + 0xFFF0], 0x9090_7EEB ; JMP $+80h: to 70
                mov     word [SCRATCH + 0x70], OK << 8 | 0xCD
                expect  ANY
                try     real
                jmp     SCRATCH_SEG:0xFFF0
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eip], 0x72
                real_check "3A 20.1", "execution past FFFF: #GP, IP = 0 in the image"
                mov     word [SCRATCH + 0xFFFE], 0x9090
                mov     word [SCRATCH], OK << 8 | 0xCD
                expect  ANY
                try     real
                jmp     SCRATCH_SEG:0xFFFE
                yrt
                is      [after + regs.vector], GP
                is      [after + regs.eip], 0
                real_check "3A 20.1", "an instruction that crosses FFFF: #GP at its start"
                mov     byte [SCRATCH + 0xFFFF], 0xB0
                expect  ANY
                try     real
                jmp     SCRATCH_SEG:0xFFFF
                yrt
                is      [after + regs.vector], GP
                is      [after + regs.eip], 0xFFFF
                real_check "3A 20.1.3", "instructions of protected mode are #UD: SLDT"
                expect  UD
                try     real
                sldt    ax
                yrt
                real_check "3A 20.1.3", "instructions of protected mode are #UD: LTR"
                expect  UD
                try     real
                ltr     ax
                yrt
                real_check "3A 20.1.3", "instructions of protected mode are #UD: VERR"
                expect  UD
                try     real
                verr    ax
                yrt
                real_check "3A 20.1.3", "instructions of protected mode are #UD: ARPL"
                expect  UD
                try     real
                arpl    ax, cx
                yrt
                real_check "3A 20.1.3", "SMSW, SGDT and MOV from CR0 work"
                try     real
                smsw    ax
                sgdt    [0]
                mov     ebx, cr0
                yrt
                movzx   eax, word [SCRATCH]
                is      eax, BEYOND - 1
                and     dword [after + regs.eax], 1
                is      [after + regs.eax], 0
                real_check "3A 20.1.2", "a segment load changes selector and base"
                mov     dword [SCRATCH + 0x10], 0xBA5E0001
                mov     eax, SCRATCH_SEG + 1
                try     real
                mov     es, ax
                mov     ecx, [es:0]
                mov     dx, es
                yrt
                is      [after + regs.ecx], 0xBA5E0001
                real_check "2B POPF", "IOPL and NT can be changed"
                try     real
                push    word FL_IOPL | FL_NT | 2
                popf
                pushf
                pop     ax
                push    word 2
                popf
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_NT
                is      [after + regs.eax], FL_IOPL | FL_NT
                real_check "2B RET", "RETF"
                try     real
                push    cs
                push    word .retf - image
                retf
.retf:
                yrt
                real_check "3A 20.1.4", "an IDT limit that stops before a vector: #GP"
                mov     word [real.idtr], 0x3FF - 4 ; without FF
                expect  GP
                try     real
                int     0xFF
                yrt
                mov     word [real.idtr], 0x3FF

                check   "1 6.2.3", "a 16-bit stack in protected mode: only SP changes"
                descriptor T0, 0x50000, 0xFFFF, A_DATA | A_DPL3, 0
                mov     eax, T0 | 3
                try     u32
                mov     ss, ax
                mov     esp, 0xABCD0004
                push    eax
                mov     ecx, esp
                mov     esp, 0xABCDFFFC
                pop     edx
                mov     ebx, esp
                yrt
                is      [after + regs.ecx], 0xABCD0000
                is      [after + regs.ebx], 0xABCD0000
                check   "1 6.2.3", "a 16-bit push across the end of the stack segment: #SS(0)"
                descriptor T0, 0x50000, 0xFFFF, A_DATA | A_DPL3, 0
                mov     eax, T0 | 3
                expect  SS_, 0, .across
                try     u32
                mov     ss, ax
                mov     sp, 1
.across:        push    ax
                yrt
                check   "2A JMP", "a 16-bit operand size clears the upper half of EIP"
                expect  ANY
                mov     eax, gate_end           ; 2xxxx: goes to xxxx, which holds INT 30 here
                mov     ebx, eax
                and     ebx, 0xFFFF
                mov     word [ebx], OK << 8 | 0xCD
                try     u32
                jmp     ax
                yrt
                lea     eax, [ebx + 2]
                is      [after + regs.eip], eax
                ret
