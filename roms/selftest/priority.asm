; Which of several events at once comes first, and double faults (SDM 3A table 6-2; 6.15 #DF, table 6-5).

%macro gate_absent 1
                mov     byte [idt_at(%1) + 5], A_INT32 - NOT_PRESENT
%endmacro

priority:       subject "priority"
                irq_check "3A table 6-2", "an interrupt comes before the next instruction's fault"
                expect  IRQ_BASE, 0, .irq_ud
                try     k32
                push    dword FL_IF | 2
                popfd
.irq_ud:        ud2
                yrt
                irq_check "3A table 6-2", "an interrupt comes before an instruction breakpoint"
                breakpoint .irq_bp, EXEC0
                expect  IRQ_BASE, 0, .irq_bp
                try     k32
                push    dword FL_IF | 2
                popfd
.irq_bp:        nop
                yrt
                irq_check "3A table 6-2", "a data breakpoint's trap comes before an interrupt"
                breakpoint SCRATCH, WRITE0_1
                mov     ebx, SCRATCH
                expect  DB_, 0, .trap
                try     k32
                sti
                mov     [ebx], al
.trap:          nop
                yrt
                irq_check "3A table 6-2", "the single-step trap is not held by STI"
                breakpoint 0, 0
                expect  DB_, 0, .sti_step
                try     k32
                push    dword FL_TF | 2
                popfd
                sti
.sti_step:      nop
                yrt
                check   "3A table 6-2", "the trap of one instruction comes before the next one's fault"
                breakpoint SCRATCH, WRITE0_1
                mov     ebx, SCRATCH
                expect  DB_, 0, .trap_ud
                try     u32
                mov     [ebx], al
.trap_ud:       ud2
                yrt
                check   "3A table 6-2", "an instruction breakpoint comes before its page fault"
                call    identity
                page    4, 0
                call    paging_on
                breakpoint at_page(4), EXEC0
                mov     ebx, at_page(4)
                expect  DB_, 0, at_page(4)
                try     u32
                jmp     ebx
                yrt
                dr6_is  1
                check   "3A 5.3, 4.7", "a segment limit comes before a missing page"
                call    identity
                page    4, 0
                descriptor T0, at_page(4), 0xFF, A_DATA | A_DPL3, D_BIG
                call    paging_on
                mov     eax, T0 | 3
                mov     ebx, 0xFD
                expect  GP, 0, .limit
                try     u32
                mov     fs, ax
.limit:         mov     ecx, [fs:ebx]
                yrt
                check   "3A table 6-2", "the code segment's limit comes before the missing page behind it"
                call    identity
                page    5, 0
                mov     byte [at_page(5) - 1], 0x90
                descriptor T0, at_page(4), 0xFFF, A_CODE, D_BIG
                call    paging_on
                expect  ANY
                try     k32
                jmp     T0:0xFFF
                yrt
                is      [after + regs.vector], GP
                is      [after + regs.error], 0
                is      [after + regs.eip], 0x1000
                is      [after + regs.cs], T0
                check   "3A table 6-2", "#NM comes before the operand's page fault"
                call    identity
                page    4, 0
                call    paging_on
                mov     eax, cr0
                or      eax, CR0_TS
                mov     cr0, eax
                mov     ebx, at_page(4)
                expect  NM
                try     u32
                fld     dword [ebx]
                yrt
                when    HAS_MMX
                check   "3A 12.1", "an MMX instruction with EM and TS is #UD, with TS alone #NM"
                mov     eax, cr0
                or      eax, CR0_TS | CR0_EM
                mov     cr0, eax
                expect  UD
                try     u32
                paddb   mm0, mm1
                yrt
                mov     eax, cr0
                and     eax, ~CR0_EM
                mov     cr0, eax
                expect  NM
                try     u32
                paddb   mm0, mm1
                yrt
                end_when
                when    HAS_SSE
%macro sse_check 5                              ; text, CR0, CR4, vector, error
                check   "3A table 13-1", %1
                mov     eax, cr0
                or      eax, %2
                mov     cr0, eax
                mov     eax, %3
                mov     cr4, eax
                mov     ebx, SCRATCH + 8
                expect  %4, %5
                try     u32
                db      0x0F, 0x28, 0x03        ; MOVAPS XMM0, [EBX]
                yrt
%endmacro
                sse_check "an SSE instruction without CR4.OSFXSR is #UD, also with TS", CR0_TS, 0, UD, 0
                sse_check "an SSE instruction with EM is #UD, also with TS", CR0_TS | CR0_EM, CR4_OSFXSR, UD, 0
                sse_check "an SSE instruction with TS is #NM before its operand's #GP", CR0_TS, CR4_OSFXSR, NM, 0
                sse_check "an operand that is not aligned: #GP(0)", 0, CR4_OSFXSR, GP, 0
                check   "3A table 6-2", "and before its missing page"
                call    identity
                page    4, 0
                mov     eax, CR4_OSFXSR
                mov     cr4, eax
                call    paging_on
                mov     ebx, at_page(4) + 8
                expect  GP, 0
                try     u32
                db      0x0F, 0x28, 0x03        ; MOVAPS XMM0, [EBX]
                yrt
                end_when
                check   "3A table 6-2", "#GP for privilege comes before the operand's page fault"
                call    identity
                page    4, 0
                call    paging_on
                mov     ebx, at_page(4)
                expect  GP, 0
                try     u32
                lgdt    [ebx]
                yrt
                check   "1 19.5.2", "an INS whose port is refused has not touched its page"
                call    identity
                page    4, 0
                call    paging_on
                mov     byte [iomap + 0x80 / 8], 1
                mov     edi, at_page(4)
                mov     edx, 0x80
                expect  GP, 0
                try     u32
                insb
                yrt
                check   "2B MOVS", "the source is read before the destination is written"
                call    identity
                page    4, 0
                page    5, 0
                call    paging_on
                mov     esi, at_page(4)
                mov     edi, at_page(5)
                expect  PF, PF_U
                cr2_is  at_page(4)
                try     u32
                movsd
                yrt

                subject "double faults"
                check   "3A table 6-5", "#GP, then #NP for its gate: #DF(0)"
                gate_absent GP
                mov     eax, BEYOND
                expect  DF_, 0
                try     k32
                mov     ds, ax
                yrt
                check   "3A table 6-5", "#DE, then #NP for its gate: #DF(0)"
                gate_absent DE
                expect  DF_, 0
                try     k32
                div     ecx
                yrt
                check   "3A table 6-5", "#UD (benign), then #NP for its gate: #NP"
                gate_absent UD
                expect  NP, UD * 8 + 3
                try     k32
                ud2
                yrt
                check   "3A table 6-5", "INT n (benign), then #NP for its gate: #NP without EXT"
                gate_absent 0x80
                expect  NP, 0x80 * 8 + 2
                try     k32
                int     0x80
                yrt
                check   "3A table 6-5", "#PF, then #NP for its gate: #DF(0)"
                call    identity
                page    4, 0
                call    paging_on
                gate_absent PF
                mov     ebx, at_page(4)
                expect  DF_, 0
                try     k32
                mov     eax, [ebx]
                yrt
                is      [after + regs.cr2], at_page(4)
                check   "3A table 6-5", "#PF, then #PF on the stack of its handler: #DF(0), by a task"
                call    identity
                page    4, 0
                page    5, 0
                call    paging_on
                set_gate idt_at(DF_), TSS_B, 0, A_TASKGATE, 0
                mov     dword [tss_b + tss.eip], .df_task
                mov     dword [tss_b + tss.cr3], PDIR
                mov     dword [tss_main + tss.esp0], at_page(6)
                mov     ebx, at_page(4)
                expect  ANY
                try     u32
                mov     eax, [ebx]
.df_task:       pop     eax
                mov     ecx, cr2
                int     OK
                yrt
                clts
                is      [after + regs.vector], OK
                is      [after + regs.eax], 0
                is      [after + regs.ecx], at_page(6) - 4
                check   "3A table 6-5", "#GP, then #PF on the stack of its handler: #PF"
                call    identity
                page    5, 0
                call    paging_on
                set_gate idt_at(PF), TSS_B, 0, A_TASKGATE, 0
                mov     dword [tss_b + tss.eip], .pf_task
                mov     dword [tss_b + tss.cr3], PDIR
                mov     dword [tss_main + tss.esp0], at_page(6)
                mov     eax, BEYOND
                expect  ANY
                try     u32
                mov     ds, ax
.pf_task:       pop     eax
                mov     ecx, cr2
                int     OK
                yrt
                clts
                is      [after + regs.vector], OK
                is      [after + regs.eax], PF_W
                mov     eax, [after + regs.ecx]
                sub     eax, at_page(6) - 24    ; the order of the pushes is not architectural
                cmp     eax, 24
                mov     eax, 0
                setae   al
                is      eax, 0
                check   "3A 6.13", "an interrupt's gate not present: #NP with EXT"
                call    timer_pending
                gate_absent IRQ_BASE
                expect  NP, IRQ_BASE * 8 + 3, .ext
                try     k32
                push    dword FL_IF | 2
                popfd
.ext:           nop
                yrt
                ret
