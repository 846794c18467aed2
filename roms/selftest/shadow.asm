; Shadows of STI and MOV SS, HLT, and when a pending interrupt is taken (SDM 3A 6.8.1, 6.8.3; 2B STI,
; MOV; 2A HLT). IRQ 0 is requested before the snippet; it is vector 40.

shadow:         subject "interrupt shadows"
                irq_check "3A 6.8.1", "IF = 0 holds a pending interrupt"
                try     k32
                nop
                nop
                yrt
                irq_check "2B STI", "STI: the interrupt comes after the next instruction"
                expect  IRQ_BASE, 0, .after_sti
                try     k32
                sti
                inc     ecx
.after_sti:     inc     ecx
                yrt
                is      [after + regs.ecx], 1
                flags   FL_IF, FL_IF
                irq_check "2B STI", "STI, CLI: no interrupt between"
                try     k32
                sti
                cli
                nop
                nop
                yrt
                irq_check "2B STI", "a second STI is no longer a shadow: IF was already set"
                expect  IRQ_BASE, 0, .after_second
                try     k32
                sti
                sti
.after_second:  inc     ecx
                inc     ecx
                yrt
                irq_check "2B STI", "a fault in the shadow comes before the interrupt"
                expect  UD, 0, .ud
                try     k32
                sti
.ud:            ud2
                yrt
                irq_check "2A HLT", "STI, HLT with a pending interrupt: it comes after HLT"
                expect  IRQ_BASE, 0, .after_hlt
                try     k32
                sti
                hlt
.after_hlt:     inc     ecx
                yrt
                irq_check "2B POPF", "POPF has no shadow"
                expect  IRQ_BASE, 0, .after_popf
                try     k32
                push    dword FL_IF | 2
                popfd
.after_popf:    inc     ecx
                yrt
                is      [after + regs.ecx], 0
                irq_check "2A IRET", "IRET has no shadow"
                mov     dword [run.eflags], FL_IF
                expect  IRQ_BASE, 0
                try     u32
                inc     ecx
                yrt
                irq_check "2A IRET", "an interrupt in V86 mode"
                mov     dword [run.eflags], FL_IF
                expect  IRQ_BASE, 0
                try     v86
                inc     cx
                yrt
                irq_check "3A 20.1.4", "STI in real mode"
                expect  IRQ_BASE, 0, .real_sti
                try     real
                sti
                inc     cx
.real_sti:      inc     cx
                yrt
                irq_check "3A 6.8.3", "MOV SS after STI: the interrupt comes before or after the next instruction, not before MOV SS"
                mov     edx, KDATA
                expect  ANY
                try     k32
                sti
.mov_ss:        mov     ss, dx
                inc     ecx
                inc     ecx
                inc     ecx
                yrt
                is      [after + regs.vector], IRQ_BASE
                mov     eax, [after + regs.eip]
                sub     eax, .mov_ss + 2
                cmp     eax, 2
                mov     eax, 0
                setae   al
                is      eax, 0
                check   "3A 6.8.3", "a single-step trap waits for the instruction after MOV SS"
                breakpoint 0, 0
                mov     edx, KDATA
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .ss_step
                try     k32
                mov     ss, dx
                inc     ecx
.ss_step:       inc     ecx
                yrt
                is      [after + regs.ecx], 1
                check   "3A 6.8.3", "and POP SS"
                breakpoint 0, 0
                mov     dword [USTACK], UDATA
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .pop_step
                try     u32
                pop     ss
                inc     ecx
.pop_step:      inc     ecx
                yrt
                is      [after + regs.ecx], 1
                check   "3A 6.8.3", "LSS has no shadow"
                breakpoint 0, 0
                mov     dword [SCRATCH], USTACK
                mov     dword [SCRATCH + 4], UDATA
                mov     ebx, SCRATCH
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .lss
                try     u32
                lss     esp, [ebx]
.lss:           inc     ecx
                yrt
                check   "3A 6.8.3", "an instruction breakpoint behind MOV SS is not reported"
                breakpoint .behind, EXEC0
                mov     edx, KDATA
                try     k32
                mov     ss, dx
.behind:        inc     ecx
                yrt
                check   "3A 6.8.3", "a data breakpoint of MOV SS waits for the next instruction"
                mov     dword [SCRATCH], UDATA
                breakpoint SCRATCH, ACCESS0_1
                mov     ebx, SCRATCH
                expect  DB_, 0, .data
                try     u32
                mov     ss, [ebx]
                inc     ecx
.data:          inc     ecx
                yrt
                dr6_is  1
                check   "2A HLT", "HLT goes on after the interrupt"
                mov     eax, .handler
                mov     [idt_at(IRQ_BASE)], ax
                shr     eax, 16
                mov     [idt_at(IRQ_BASE) + 6], ax
                call    timer_pending
                xor     ecx, ecx
                try     k32
                sti
                hlt
                inc     ecx
                cli
                jmp     short .halt_end
.handler:       mov     al, 0xFF
                out     0x21, al
                mov     al, 0x20
                out     0x20, al
                or      ecx, 0x100
                iretd
.halt_end:
                yrt
                is      [after + regs.ecx], 0x101
                ret
