; Task switching: JMP, CALL, interrupts, IRET; 16- and 32-bit; faults before and after the switch
; (SDM 3A chapter 7; table 7-1: checks, table 7-2: busy flag, NT, link).

%macro main_back 0                              ; the main TSS is the task register's again
                clts
                pushfd
                and     dword [esp], ~FL_NT
                popfd
                mov     byte [gdt_at(TSS_MAIN) + 5], A_TSS32
                mov     ax, TSS_MAIN
                ltr     ax
                xor     eax, eax
                lldt    ax
%endmacro

; Switching by CALL to TSS_B; the new task is bad; the fault is reported in it, at its EIP.
%macro bad_task 6                               ; section, text, field, value, vector, error
                check   %1, %2
                descriptor T0, 0, 0xFFFFF, A_DATA - NOT_PRESENT, D_FLAT
                descriptor T1, 0, 0xFFFFF, A_CODE - NOT_PRESENT, D_FLAT
                descriptor T2, 0, 0x1F, A_LDT - NOT_PRESENT, 0
                descriptor T3, 0, 0xFFFFF, A_XCODE, D_FLAT
                descriptor T4, 0, 0xFFFFF, A_CONF | A_DPL3, D_FLAT
                mov     dword [tss_b + tss.eip], .new
                mov     dword [tss_b + tss.%3], %4
                set_gate idt_at(%5), TSS_C, 0, A_TASKGATE, 0 ; the new task may have no stack: another one looks
                descriptor TSS_C, SCRATCH + 0x100, 0x67, A_TSS32, 0
                mov     esi, tss_b
                mov     edi, SCRATCH + 0x100
                mov     ecx, tss_size / 4
                rep movsd
                mov     edi, SCRATCH + 0x100
                mov     dword [edi + tss.eip], .fault
                mov     dword [edi + tss.cs], KCODE
                mov     dword [edi + tss.ss], KDATA
                mov     dword [edi + tss.ds], KDATA
                mov     dword [edi + tss.es], KDATA
                mov     dword [edi + tss.fs], KDATA
                mov     dword [edi + tss.gs], KDATA
                mov     dword [edi + tss.ldt], 0
                mov     dword [edi + tss.eflags], 2
                mov     dword [edi + tss.esp], MAIN_STACK - 0x800
                try     k32
                call    TSS_B:0
                jmp     short .end
.new:           mov     eax, -1
                jmp     short .end
.fault:         pop     eax                     ; error code
                movzx   ebx, word [SCRATCH + 0x100] ; who was interrupted
                mov     ecx, [tss_b + tss.eip]
                mov     edx, [tss_b + tss.eax]
.end:           mov     esi, eax
                main_back
                mov     eax, esi
                yrt
                is      [after + regs.eax], %6
                is      [after + regs.ebx], TSS_B
                is      [after + regs.ecx], .new
                is      [after + regs.edx], 0xB0000001
%endmacro

%macro bad_switch 5+                            ; section, text, vector, error, instruction
                check   %1, %2
                expect  %3, %4
                try     k32
                %5
                yrt
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                is      eax, A_TSS32 | 2
%endmacro

tasks:          subject "task switches"
                check   "3A 7.3", "JMP to a TSS: all registers of the new task, the old ones in its TSS"
                mov     dword [tss_b + tss.eip], .jumped
                mov     eax, 0xA1
                mov     ecx, 0xA2
                mov     edx, 0xA3
                mov     ebx, 0xA4
                mov     ebp, 0xA5
                mov     esi, 0xA6
                mov     edi, 0xA7
                try     k32
                jmp     TSS_B:0
.jump_ret:      nop
.jumped:        push    eax
                pushfd
                mov     eax, cr0
                mov     [SCRATCH], eax
                clts
                str     eax
                mov     [SCRATCH + 4], eax
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                mov     [SCRATCH + 8], eax
                movzx   eax, byte [gdt_at(TSS_B) + 5]
                mov     [SCRATCH + 12], eax
                pop     dword [SCRATCH + 16]
                main_back
                pop     eax
                yrt
                is      [after + regs.eax], 0xB0000001
                is      [after + regs.ecx], 0xB0000002
                is      [after + regs.edx], 0xB0000003
                is      [after + regs.ebx], 0xB0000004
                is      [after + regs.ebp], 0xB0000005
                is      [after + regs.esi], 0xB0000006
                is      [after + regs.edi], 0xB0000007
                is      [after + regs.esp], BSTACK
                is      [tss_main + tss.eax], 0xA1
                is      [tss_main + tss.ecx], 0xA2
                is      [tss_main + tss.edx], 0xA3
                is      [tss_main + tss.ebx], 0xA4
                is      [tss_main + tss.ebp], 0xA5
                is      [tss_main + tss.esi], 0xA6
                is      [tss_main + tss.edi], 0xA7
                is      [tss_main + tss.eip], .jump_ret
                movzx   eax, word [tss_main + tss.cs]
                is      eax, KCODE
                and     dword [SCRATCH], CR0_TS
                is      [SCRATCH], CR0_TS       ; condition 18: CR0.TS is set
                and     dword [SCRATCH + 4], 0xFFFF
                is      [SCRATCH + 4], TSS_B
                is      [SCRATCH + 8], A_TSS32  ; JMP: the old one is no longer busy
                is      [SCRATCH + 12], A_TSS32 | 2
                and     dword [SCRATCH + 16], FL_NT
                is      [SCRATCH + 16], 0

                check   "3A 7.4 table 7-2", "CALL to a TSS nests: NT, link, both busy; IRET returns"
                mov     dword [tss_b + tss.eip], .called
                try     k32
                mov     ebp, esp
                call    TSS_B:0
                sub     ebp, esp
                jmp     short .call_end
.called:        pushfd
                pop     dword [SCRATCH]
                movzx   eax, word [tss_b + tss.link]
                mov     [SCRATCH + 4], eax
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                mov     [SCRATCH + 8], eax
                movzx   eax, byte [gdt_at(TSS_B) + 5]
                mov     [SCRATCH + 12], eax
                iretd
.after_iret:
.call_end:      str     eax
                clts
                yrt
                and     dword [SCRATCH], FL_NT
                is      [SCRATCH], FL_NT
                is      [SCRATCH + 4], TSS_MAIN
                is      [SCRATCH + 8], A_TSS32 | 2
                is      [SCRATCH + 12], A_TSS32 | 2
                is      [after + regs.ebp], 0
                movzx   eax, word [after + regs.eax]
                is      eax, TSS_MAIN
                movzx   eax, byte [gdt_at(TSS_B) + 5]
                is      eax, A_TSS32
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                is      eax, A_TSS32 | 2
                is      [tss_b + tss.eip], .after_iret
                mov     eax, [tss_b + tss.eflags] ; IRET: NT of the task left is cleared in its TSS
                and     eax, FL_NT
                is      eax, 0

                check   "3A 7.4", "three tasks deep and back"
                mov     dword [tss_b + tss.eip], .deep1
                descriptor TSS_C, SCRATCH + 0x100, 0x67, A_TSS32, 0
                mov     esi, tss_b
                mov     edi, SCRATCH + 0x100
                mov     ecx, tss_size / 4
                rep movsd
                mov     dword [SCRATCH + 0x100 + tss.eip], .deep2
                mov     dword [SCRATCH + 0x100 + tss.esp], MAIN_STACK - 0x800
                xor     eax, eax
                try     k32
                call    TSS_B:0
                jmp     short .deep_end
.deep1:         call    TSS_C:0
                or      dword [tss_main + tss.eax], 2
                iretd
.deep2:         movzx   eax, word [SCRATCH + 0x100]
                mov     [SCRATCH], eax
                or      dword [tss_main + tss.eax], 1
                iretd
.deep_end:      clts
                yrt
                is      [after + regs.eax], 3
                is      [SCRATCH], TSS_B

                check   "3A 7.2.5", "INT through a task gate nests"
                mov     dword [tss_b + tss.eip], .int_task
                set_gate idt_at(0x80), TSS_B, 0, A_TASKGATE, 0
                try     k32
                int     0x80
.int_ret:       jmp     short .int_end
.int_task:      movzx   eax, word [tss_b + tss.link]
                mov     ebx, [tss_main + tss.eip]
                mov     [SCRATCH], eax
                mov     [SCRATCH + 4], ebx
                mov     [SCRATCH + 8], esp
                iretd
.int_end:       clts
                yrt
                is      [SCRATCH], TSS_MAIN
                is      [SCRATCH + 4], .int_ret
                is      [SCRATCH + 8], BSTACK

                check   "3A 7.3", "an exception through a task gate: the error code is on the new stack, EIP in the old TSS is the instruction's"
                mov     dword [tss_b + tss.eip], .gp_task
                set_gate idt_at(GP), TSS_B, 0, A_TASKGATE, 0
                mov     eax, BEYOND
                try     k32
.gp_at:         mov     es, ax
                jmp     short .gp_end
.gp_task:       pop     dword [SCRATCH]
                mov     eax, [tss_main + tss.eip]
                mov     [SCRATCH + 4], eax
                mov     dword [tss_main + tss.eax], 0
                mov     [SCRATCH + 8], esp
                iretd                           ; (again, with a good selector)
.gp_end:        clts
                yrt
                is      [SCRATCH], BEYOND
                is      [SCRATCH + 4], .gp_at
                is      [SCRATCH + 8], BSTACK
                check   "3A 6.8.3", "a fault through a task gate: RF is set in the old TSS"
                mov     dword [tss_b + tss.eip], .rf_task
                set_gate idt_at(UD), TSS_B, 0, A_TASKGATE, 0
                try     k32
                ud2
.rf_task:       mov     eax, [tss_main + tss.eflags]
                mov     [SCRATCH], eax
                main_back
                yrt
                and     dword [SCRATCH], FL_RF
                is      [SCRATCH], FL_RF

                check   "3A 7.2.5", "CALL through a task gate at CPL 3, back by IRET"
                mov     dword [tss_b + tss.eip], .gate_task
                set_gate gdt_at(T0), TSS_B, 0, A_TASKGATE | A_DPL3, 0
                try     u32
                mov     ebx, 0x5A5A
                call    T0 | 3:0
                mov     ecx, cs
                mov     edx, esp
                jmp     short .gate_end
.gate_task:     mov     eax, cs
                mov     [SCRATCH], eax
                iretd
.gate_end:
                yrt
                clts
                and     dword [SCRATCH], 0xFFFF
                is      [SCRATCH], KCODE
                is      [after + regs.ebx], 0x5A5A
                is      [after + regs.ecx], UCODE
                is      [after + regs.edx], USTACK

                check   "3A 7.6", "to a 16-bit TSS: low halves, 16-bit IP and FLAGS"
                mov     word [tss_c + tss16.ip], .task16 - BASE
                mov     word [tss_c + tss16.ss], T0
                descriptor T0, 0x50000, 0xFFFF, A_DATA, 0
                mov     dword [SCRATCH], 0
                try     k32
                jmp     TSS_C:0
                low
.task16:        mov     [dword SCRATCH], ax
                mov     [dword SCRATCH + 2], cx
                mov     [dword SCRATCH + 4], dx
                mov     [dword SCRATCH + 6], bx
                mov     [dword SCRATCH + 8], sp
                mov     [dword SCRATCH + 10], bp
                mov     [dword SCRATCH + 12], si
                mov     [dword SCRATCH + 14], di
                mov     ax, fs
                mov     [dword SCRATCH + 16], ax
                mov     ax, gs
                mov     [dword SCRATCH + 18], ax
                jmp     dword KCODE:.task16_end
                high
.task16_end:    mov     ax, KDATA
                mov     ss, ax
                mov     esp, MAIN_STACK - 0x800
                main_back
                yrt
                is      [SCRATCH], 0xC002C001
                is      [SCRATCH + 4], 0xC004C003
                is      [SCRATCH + 8], 0xC005FFF0
                is      [SCRATCH + 12], 0xC007C006
                is      [SCRATCH + 16], 0       ; FS, GS: null

                check   "3A 7.6", "from a 16-bit task: its state is saved in 16-bit form; back into a 32-bit one"
                mov     ax, TSS_C
                ltr     ax
                mov     dword [tss_b + tss.eip], .from16
                mov     eax, 0x1111A001
                mov     edi, 0x2222A007
                mov     word [tss_c + tss16_size], 0x5555
                try     k32
                jmp     TSS_B:0
.from16_ret:    nop
.from16:        main_back
                yrt
                movzx   eax, word [tss_c + tss16.ax]
                is      eax, 0xA001
                movzx   eax, word [tss_c + tss16.di]
                is      eax, 0xA007
                movzx   eax, word [tss_c + tss16.ip]
                mov     edx, .from16_ret
                and     edx, 0xFFFF
                is      eax, edx
                movzx   eax, word [tss_c + tss16.ds]
                is      eax, KDATA
                movzx   eax, word [tss_c + tss16_size]
                is      eax, 0x5555

                check   "3A 7.4, 7.6", "CALL to a 16-bit TSS nests: NT and the link; its IRET returns"
                mov     word [tss_c + tss16.ip], .nested16 - BASE
                mov     word [tss_c + tss16.ss], T0
                descriptor T0, 0x50000, 0xFFFF, A_DATA, 0
                mov     ebp, 0x12345678
                try     k32
                call    TSS_C:0
                jmp     short .nested16_end
                low
.nested16:      pushf
                pop     word [dword SCRATCH]
                iret
                high
.nested16_end:  clts
                yrt
                is      [after + regs.ebp], 0x12345678
                movzx   eax, word [tss_c + tss16.link]
                is      eax, TSS_MAIN
                movzx   eax, word [SCRATCH]
                and     eax, FL_NT
                is      eax, FL_NT
                movzx   eax, word [tss_c + tss16.flags]
                and     eax, FL_NT
                is      eax, 0
                movzx   eax, byte [gdt_at(TSS_C) + 5]
                is      eax, A_TSS16

                subject "task switches that fail"
                bad_switch "3A 7.3 table 7-1", "JMP to a busy TSS: #GP(TSS)", GP, TSS_MAIN, jmp TSS_MAIN:0
                bad_switch "3A 7.3 table 7-1", "CALL to a busy TSS: #GP(TSS)", GP, TSS_MAIN, call TSS_MAIN:0
                check   "3A 7.3 table 7-1", "a TSS that is not present: #NP(TSS)"
                descriptor T0, tss_b, 0x67, A_TSS32 - NOT_PRESENT, 0
                expect  NP, T0
                try     k32
                jmp     T0:0
                yrt
                check   "3A 7.3 table 7-1", "a TSS of DPL 0 at CPL 3: #GP(TSS)"
                expect  GP, TSS_B
                try     u32
                jmp     TSS_B:0
                yrt
                check   "3A 7.2.2", "a TSS with RPL above its DPL: #GP(TSS)"
                expect  GP, TSS_B
                try     k32
                jmp     TSS_B | 3:0
                yrt
                check   "3A 7.3 table 7-1", "a 32-bit TSS with limit 66h: #TS(TSS)"
                descriptor T0, tss_b, 0x66, A_TSS32, 0
                expect  TS, T0
                try     k32
                jmp     T0:0
                yrt
                check   "3A 7.3 table 7-1", "a 16-bit TSS with limit 2Ah: #TS(TSS)"
                descriptor T0, tss_c, 0x2A, A_TSS16, 0
                expect  TS, T0
                try     k32
                jmp     T0:0
                yrt
                check   "3A 7.2.5", "a task gate that is not present: #NP(gate)"
                set_gate gdt_at(T0), TSS_B, 0, A_TASKGATE - NOT_PRESENT, 0
                expect  NP, T0
                try     k32
                jmp     T0:0
                yrt
                check   "3A 7.2.5", "a task gate to data: #GP(selector)"
                set_gate gdt_at(T0), KDATA, 0, A_TASKGATE, 0
                expect  GP, KDATA
                try     k32
                jmp     T0:0
                yrt
                check   "3A 7.2.5", "a task gate to a selector of the LDT: #GP(selector)"
                set_gate gdt_at(T0), LDT0, 0, A_TASKGATE, 0
                expect  GP, LDT0
                try     k32
                jmp     T0:0
                yrt
                check   "2A INT", "a task gate in the IDT to a busy TSS: #GP(TSS)"
                set_gate idt_at(0x80), TSS_MAIN, 0, A_TASKGATE, 0
                expect  GP, TSS_MAIN
                try     k32
                int     0x80
                yrt
                check   "2A IRET", "IRET with NT and a link that is not busy: #TS(link)"
                mov     word [tss_main + tss.link], TSS_B
                expect  TS, TSS_B, .nt_iret
                try     k32
                push    dword FL_NT | 2
                popfd
.nt_iret:       iretd
                yrt
                check   "2A IRET", "IRET with NT and a null link: #TS(0)"
                mov     word [tss_main + tss.link], 0
                expect  TS, 0, .nt_null
                try     k32
                push    dword FL_NT | 2
                popfd
.nt_null:       iretd
                yrt
                check   "2A IRET", "IRET with NT and a link to data: #TS(link)"
                mov     word [tss_main + tss.link], KDATA
                expect  TS, KDATA, .nt_data
                try     k32
                push    dword FL_NT | 2
                popfd
.nt_data:       iretd
                yrt

                subject "faults in the new task"
                bad_task "3A 7.3 table 7-1", "CS null: #TS(0)", cs, 0, TS, 0
                bad_task "3A 7.3 table 7-1", "CS is data: #TS(selector)", cs, KDATA, TS, KDATA
                bad_task "3A 7.3 table 7-1", "CS beyond the GDT: #TS(selector)", cs, BEYOND, TS, BEYOND
                bad_task "3A 7.3 table 7-1", "CS not present: #NP(selector)", cs, T1, NP, T1
                bad_task "3A 7.3 table 7-1", "SS null: #TS(0)", ss, 0, TS, 0
                bad_task "3A 7.3 table 7-1", "SS of another DPL: #TS(selector)", ss, UDATA & ~3, TS, UDATA & ~3
                bad_task "3A 7.3 table 7-1", "SS is code: #TS(selector)", ss, KCODE, TS, KCODE
                bad_task "3A 7.3 table 7-1", "SS not present: #SS(selector)", ss, T0, SS_, T0
                bad_task "3A 7.3 table 7-1", "DS is a TSS: #TS(selector)", ds, TSS_B, TS, TSS_B
                bad_task "3A 7.3 table 7-1", "ES not present: #NP(selector)", es, T0, NP, T0
                bad_task "3A 7.3 table 7-1", "FS with RPL above DPL: #TS(selector)", fs, KDATA | 3, TS, KDATA
                bad_task "3A 7.3 table 7-1", "GS beyond the GDT: #TS(selector)", gs, BEYOND, TS, BEYOND
                bad_task "3A 7.3 table 7-1", "LDT is data: #TS(selector)", ldt, KDATA, TS, KDATA
                bad_task "3A 7.3 table 7-1", "LDT not present: #TS(selector)", ldt, T2, TS, T2
                bad_task "3A 7.3 table 7-1", "LDT in the LDT: #TS(selector)", ldt, LDT0, TS, LDT0
                bad_task "3A 7.3 table 7-1", "CS whose DPL is not its RPL: #TS(selector)", cs, UCODE & ~3, TS, UCODE & ~3
                bad_task "3A 7.3 table 7-1", "conforming CS of an outer level: #TS(selector)", cs, T4, TS, T4
                bad_task "3A 7.3 table 7-1", "SS whose RPL is not CPL: #TS(selector)", ss, KDATA | 3, TS, KDATA
                bad_task "3A 7.3 table 7-1", "SS is execute-only code: #TS(selector)", ss, T3, TS, T3
                bad_task "3A 7.3 table 7-1", "DS is execute-only code: #TS(selector)", ds, T3, TS, T3
                bad_task "3A 7.3 table 7-1", "ES of an LDT that the task has not: #TS(selector)", es, LDT0, TS, LDT0
                check   "3A 7.3", "EIP beyond the new CS: #GP(0) in the new task"
                descriptor T0, 0, 0xFFF, A_CODE, D_BIG
                mov     dword [tss_b + tss.cs], T0
                mov     dword [tss_b + tss.eip], gate_end
                expect  ANY
                try     k32
                call    TSS_B:0
                yrt
                clts
                is      [after + regs.vector], GP
                is      [after + regs.error], 0
                is      [after + regs.eip], gate_end
                is      [after + regs.cs], T0
                is      [after + regs.esp], BSTACK

                check   "3A 7.2.1", "a new task at CPL 3 with its own LDT"
                mov     dword [tss_b + tss.cs], UCODE
                mov     dword [tss_b + tss.ss], UDATA
                mov     dword [tss_b + tss.ds], 0x0F ; LDT: data of DPL 3
                mov     dword [tss_b + tss.es], UDATA
                mov     dword [tss_b + tss.fs], 0
                mov     dword [tss_b + tss.gs], 0
                mov     dword [tss_b + tss.ldt], LDT
                mov     dword [tss_b + tss.eip], .user_task
                mov     dword [SCRATCH], 0x77
                expect  ANY
                try     k32
                call    TSS_B:0
.user_task:     mov     ebx, [SCRATCH]
                int     OK
                yrt
                clts
                is      [after + regs.cs], UCODE
                is      [after + regs.ds], 0x0F
                is      [after + regs.ebx], 0x77

                subject "task switches and debugging"
                check   "3B 17.3.1.5", "the T bit of the new TSS: #DB before its first instruction, DR6.BT"
                mov     dword [tss_b + tss.eip], .t_bit
                mov     word [tss_b + tss.trap], 1
                xor     eax, eax
                mov     dr6, eax
                expect  ANY
                try     k32
                call    TSS_B:0
.t_bit:         mov     eax, -1
                int     OK
                yrt
                clts
                is      [after + regs.vector], DB_
                is      [after + regs.eip], .t_bit
                is      [after + regs.eax], 0xB0000001
                mov     eax, dr6
                and     eax, 0xE00F
                is      eax, 0x8000
                check   "3B 17.2.4", "a task switch clears L0-L3 and LE of DR7, not G0-G3"
                mov     dword [tss_b + tss.eip], .dr7
                mov     eax, 0x3FF
                mov     ecx, 0xFFF0
                mov     dr0, ecx
                mov     dr1, ecx
                mov     dr2, ecx
                mov     dr3, ecx
                mov     dr7, eax
                expect  ANY
                try     k32
                call    TSS_B:0
.dr7:           mov     ebx, dr7
                int     OK
                yrt
                clts
                and     dword [after + regs.ebx], 0x3FF
                is      [after + regs.ebx], 0x2AA
                check   "3A 2.5", "CR0.TS: an ESC instruction is #NM"
                mov     eax, cr0
                or      eax, CR0_TS
                mov     cr0, eax
                expect  NM
                try     u32
                fldz
                yrt
                check   "3A 2.5", "CR0.TS with MP: WAIT is #NM"
                mov     eax, cr0
                or      eax, CR0_TS | CR0_MP
                mov     cr0, eax
                expect  NM
                try     u32
                wait
                yrt
                check   "3A 2.5", "CR0.TS without MP: WAIT runs"
                mov     eax, cr0
                or      eax, CR0_TS
                mov     cr0, eax
                try     u32
                wait
                yrt
                check   "3A 2.5", "CR0.EM: an ESC instruction is #NM"
                mov     eax, cr0
                or      eax, CR0_EM
                mov     cr0, eax
                expect  NM
                try     u32
                fldz
                yrt
                ret
