; Near transfers against the limit of CS, and running off its end (SDM 2A CALL, JMP; 2B LOOP, RET; 3A 5.3).
; T0 is a code segment that ends with the snippet: one byte further is outside.

; Near transfer to beyond the limit: text, instruction (to gate_end, which is above the code here).
%macro near_out 2+
                check   "3A 5.3", %1
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, near_end - 1
                call    t0_limit
                mov     ebx, near_end
                mov     dword [SCRATCH], near_end
                mov     ecx, 2
                expect  GP, 0, .near
                try     u32
                jmp     T0 | 3:.near
.near:          %2
                yrt
%endmacro

; EBX: limit of T0.
t0_limit:       push    ebx
                mov     [gdt_at(T0)], bx
                shr     ebx, 16
                and     byte [gdt_at(T0) + 6], 0xF0
                or      [gdt_at(T0) + 6], bl
                pop     ebx
                ret

limits:         subject "near transfers"
                near_out "JMP beyond the limit: #GP(0) at the JMP", jmp near_end
                near_out "JMP r32 beyond the limit: #GP(0) at the JMP", jmp ebx
                near_out "JMP m32 beyond the limit: #GP(0) at the JMP", jmp [SCRATCH]
                near_out "Jcc beyond the limit: #GP(0) at the Jcc", jnz near near_end
                near_out "CALL beyond the limit: #GP(0) at the CALL", call near_end
                is      [after + regs.esp], USTACK
                near_out "CALL r32 beyond the limit: #GP(0) at the CALL", call ebx
                is      [after + regs.esp], USTACK
                near_out "CALL m32 beyond the limit: #GP(0) at the CALL", call [SCRATCH]
                is      [after + regs.esp], USTACK
                check   "3A 5.3", "RET beyond the limit: #GP(0) at the RET, ESP unchanged"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, near_end - 1
                call    t0_limit
                expect  GP, 0, .ret
                try     u32
                push    ebx
                push    dword near_end
                jmp     T0 | 3:.ret
.ret:           ret     4
                yrt
                is      [after + regs.esp], USTACK - 8
                check   "2B LOOP", "LOOP beyond the limit: #GP(0), ECX unchanged"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, .loop + 1          ; ends with LOOP's two bytes
                call    t0_limit
                mov     ecx, 2
                expect  GP, 0, .loop
                try     u32
                jmp     T0 | 3:.loop
.loop:          loop    .loop + 8
                times   8 nop
                yrt
                is      [after + regs.ecx], 2
                check   "3A 5.3", "a Jcc that is not taken may name what is beyond"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, .not_taken_end + 1
                call    t0_limit
                try     u32
                xor     eax, eax
                jmp     T0 | 3:.not_taken
.not_taken:     jnz     near near_end
                jmp     short .not_taken_end
.not_taken_end:
                yrt
                check   "3A 5.3", "running off the end: #GP(0) with EIP behind the last byte"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, .off - 1
                call    t0_limit
                expect  GP, 0, .off
                try     u32
                jmp     T0 | 3:.last
.last:          nop
.off:           nop
                yrt
                check   "3A 5.3", "an instruction across the limit: #GP(0) with EIP at its start"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, .across + 3
                call    t0_limit
                expect  GP, 0, .across
                try     u32
                jmp     T0 | 3:.across
.across:        mov     eax, 0x12345678
                yrt
                is      [after + regs.eax], 0
                check   "3A 5.3", "the last instruction may end at the limit"
                descriptor T0, 0, 0, A_CODE | A_DPL3, D_BIG
                mov     ebx, .inside + 1
                call    t0_limit
                expect  ANY
                try     u32
                jmp     T0 | 3:.inside
.inside:        int     OK
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eip], .inside + 2
                ret

near_end:       int     OK
