; Stack frames in missing pages and of 16-bit gates; task switches under paging (SDM 3A 6.12.1, 6.15 #PF, 7.3).

frames:         subject "frames and pages"
                check   "3A 6.15 #PF", "IRET whose frame crosses into a missing page: nothing has changed"
                call    identity
                page    5, 0
                mov     dword [at_page(5) - 8], gate_end
                mov     dword [at_page(5) - 4], UCODE
                call    paging_on
                expect  PF, PF_U, .iret
                cr2_is  at_page(5)
                try     u32
                mov     esp, at_page(5) - 8
.iret:          iretd
                yrt
                is      [after + regs.esp], at_page(5) - 8
                check   "3A 6.15 #PF", "RETF to an outer level whose SS lies in a missing page"
                call    identity
                page    5, 0
                mov     dword [at_page(5) - 12], gate_end
                mov     dword [at_page(5) - 8], UCODE
                mov     dword [at_page(5) - 4], USTACK
                call    paging_on
                mov     ebx, esp
                expect  PF, 0, .retf
                cr2_is  at_page(5)
                try     r1
                mov     esp, at_page(5) - 12
.retf:          retf
                yrt
                is      [after + regs.cs], CODE1
                is      [after + regs.esp], at_page(5) - 12
                check   "3A 6.15 #PF", "a call gate whose inner stack is missing: #PF of a supervisor, by a task; ESP, SS stay"
                call    identity
                page    5, 0
                call    paging_on
                set_gate gdt_at(T0), KCODE, gate_end, A_CALL32 | A_DPL3, 0
                set_gate idt_at(PF), TSS_B, 0, A_TASKGATE, 0
                mov     dword [tss_b + tss.eip], .gate_task
                mov     dword [tss_b + tss.cr3], PDIR
                mov     dword [tss_main + tss.esp0], at_page(6)
                expect  ANY
                try     u32
.gate_call:     call    T0 | 3:0
.gate_task:     pop     eax
                mov     ebx, [tss_main + tss.eip]
                mov     ecx, [tss_main + tss.esp]
                movzx   edx, word [tss_main + tss.cs]
                int     OK
                yrt
                clts
                is      [after + regs.eax], PF_W
                is      [after + regs.ebx], .gate_call
                is      [after + regs.ecx], USTACK
                is      [after + regs.edx], UCODE
                check   "3A 4.6.1", "a gate pushes to a supervisor's stack from CPL 3"
                call    identity
                page    5, PTE_P | PTE_W
                call    paging_on
                mov     dword [tss_main + tss.esp0], at_page(6)
                try     u32
                nop
                yrt
                check   "3A 6.12.1", "a 16-bit gate from CPL 3: SS SP FLAGS CS IP as words; IRET takes them"
                descriptor T0, 0x50000, 0xFFFF, A_DATA, 0
                mov     dword [tss_main + tss.ss0], T0
                mov     dword [tss_main + tss.esp0], 0x8000
                set_gate idt_at(0x80), CODE16, .handler16 - BASE, A_INT16 | A_DPL3, 0
                mov     dword [SCRATCH], 0
                expect  ANY
                try     u16
                int     0x80
.back16:        jmp     short .end16
.handler16:     push    ds
                push    word KDATA
                pop     ds
                mov     bp, sp
                mov     [dword SCRATCH], sp
                mov     ax, [bp + 2]
                mov     [dword SCRATCH + 4], ax ; IP
                mov     ax, [bp + 4]
                mov     [dword SCRATCH + 6], ax ; CS
                mov     ax, [bp + 8]
                mov     [dword SCRATCH + 8], ax ; SP
                mov     ax, [bp + 10]
                mov     [dword SCRATCH + 10], ax ; SS
                pop     ds
                iret
.end16:         mov     sp, USTACK & 0xFFFF     ; (the upper half of ESP is the handler's or the old one)
                o32 jmp dword UCODE:.flat16
                high
.flat16:        mov     esp, USTACK
                mov     ax, UDATA
                mov     ds, ax
                mov     dword [tss_main + tss.ss0], KDATA
                mov     dword [tss_main + tss.esp0], KSTACK
                int     OK
.flat16_end:    low
                yrt
                is      [SCRATCH], 0x7FF4
                movzx   eax, word [SCRATCH + 4]
                is      eax, .back16 - image
                movzx   eax, word [SCRATCH + 6]
                is      eax, UCODE16
                movzx   eax, word [SCRATCH + 8]
                is      eax, USTACK & 0xFFFF
                movzx   eax, word [SCRATCH + 10]
                is      eax, UDATA
                is      [after + regs.vector], OK
                is      [after + regs.eip], .flat16_end

                subject "task switches under paging"
                check   "3A 7.3", "the new task's CR3 is used; the old one's comes back"
                call    identity
                mov     esi, PDIR               ; another directory, with page 4 mapped to page 5
                mov     edi, SCRATCH + 0x8000
                mov     ecx, 2048
                rep movsd
                mov     dword [SCRATCH + 0x8000], SCRATCH + 0x9000 + 7
                mov     dword [SCRATCH + 0x9000 + ((SCRATCH >> 12) + 4) * 4], at_page(5) + 7
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                mov     dword [tss_b + tss.cr3], SCRATCH + 0x8000
                mov     dword [tss_main + tss.cr3], PDIR
                mov     dword [tss_b + tss.eip], .new_cr3
                call    paging_on
                mov     ebx, at_page(4)
                try     k32
                mov     eax, [ebx]
                call    TSS_B:0
                mov     edx, [ebx]
                jmp     short .cr3_end
.new_cr3:       mov     ecx, [at_page(4)]
                mov     [SCRATCH], ecx
                iretd
.cr3_end:
                yrt
                clts
                is      [after + regs.eax], 0x44444444
                is      [after + regs.edx], 0x44444444
                is      [SCRATCH], 0x55555555
                check   "3A 7.3", "a new TSS in a missing page: #PF in the old task, which is as it was"
                call    identity
                page    4, 0
                descriptor T0, at_page(4), 0x67, A_TSS32, 0
                call    paging_on
                expect  PF, 0
                try     k32
                jmp     T0:0
                yrt
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_TSS32
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                is      eax, A_TSS32 | 2
%macro copy_tss 1                               ; the second task's state
                mov     esi, tss_b
                mov     edi, %1
                mov     ecx, tss_size / 4
                rep movsd
%endmacro
%macro fault_page 1                             ; CR2 is in this page: the order of the reads is not architectural
                and     dword [after + regs.cr2], ~0xFFF
                is      [after + regs.cr2], %1
%endmacro
                check   "3A 7.3", "a new TSS that goes on in a missing page: #PF in the old task, which is as it was"
                call    identity
                copy_tss at_page(5) - 0x30
                descriptor T0, at_page(5) - 0x30, 0x67, A_TSS32, 0
                page    5, 0
                call    paging_on
                expect  PF, 0
                try     k32
                jmp     T0:0
                yrt
                fault_page at_page(5)
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_TSS32
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                is      eax, A_TSS32 | 2
                check   "3A 7.3", "IRET to a task whose TSS lies in a missing page: #PF in the task that returns"
                call    identity
                page    4, 0
                descriptor T0, at_page(4), 0x67, A_TSS32 | 2, 0
                mov     word [tss_main + tss.link], T0
                call    paging_on
                expect  PF, 0, .return
                try     k32
                push    dword FL_NT | 2
                popfd
.return:        iretd
                yrt
                fault_page at_page(4)
                flags   FL_NT, FL_NT
                movzx   eax, byte [gdt_at(TSS_MAIN) + 5]
                is      eax, A_TSS32 | 2
                check   "3A table 6-5", "#GP by a task gate, the new stack's page is missing: #PF in the new task"
                call    identity
                page    5, 0
                call    paging_on
                set_gate idt_at(GP), TSS_B, 0, A_TASKGATE, 0
                set_gate idt_at(PF), T0, 0, A_TASKGATE, 0
                mov     dword [tss_b + tss.eip], .gp_task
                mov     dword [tss_b + tss.cr3], PDIR
                mov     dword [tss_b + tss.esp], at_page(6)
                descriptor T0, SCRATCH + 0x100, 0x67, A_TSS32, 0
                copy_tss SCRATCH + 0x100
                mov     dword [SCRATCH + 0x100 + tss.eip], .pf_task
                mov     dword [SCRATCH + 0x100 + tss.esp], MAIN_STACK - 0x800
                mov     eax, BEYOND
                expect  ANY
                try     k32
                mov     ds, ax
.gp_task:       mov     eax, -1
                int     OK
.pf_task:       pop     eax
                movzx   ebx, word [SCRATCH + 0x100]
                mov     ecx, [tss_b + tss.eip]
                mov     edx, cr2
                int     OK
                yrt
                clts
                is      [after + regs.eax], PF_W
                is      [after + regs.ebx], TSS_B
                is      [after + regs.ecx], .gp_task
                is      [after + regs.edx], at_page(6) - 4
                when    HAS_486
                check   "3A 7.3", "CALL to a TSS in a read-only page, with WP: the link cannot be written: #PF in the old task"
                call    identity
                copy_tss at_page(4)
                descriptor T0, at_page(4), 0x67, A_TSS32, 0
                page    4, PTE_P
                mov     eax, cr0
                or      eax, CR0_WP
                mov     cr0, eax
                call    paging_on
                expect  PF, PF_W | PTE_P
                try     k32
                call    T0:0
                yrt
                fault_page at_page(4)
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_TSS32
                check   "3A 7.3", "an old TSS in a read-only page, with WP: #PF in the old task"
                call    identity
                mov     dword [PTAB + (LIVE >> 12) * 4 + 0], LIVE + 7
                mov     esi, tss_main           ; the main task's state in page 4
                mov     edi, at_page(4)
                mov     ecx, tss_size / 4
                rep movsd
                mov     word [at_page(4) + tss.iomap], tss_size
                descriptor T0, at_page(4), 0x67, A_TSS32, 0
                mov     ax, T0
                ltr     ax
                page    4, PTE_P
                mov     eax, cr0
                or      eax, CR0_WP
                mov     cr0, eax
                mov     dword [tss_b + tss.eip], gate_end
                mov     dword [tss_b + tss.cr3], PDIR
                call    paging_on
                expect  PF, PF_W | PTE_P
                try     k32
                jmp     TSS_B:0
                yrt
                movzx   eax, byte [gdt_at(TSS_B) + 5]
                is      eax, A_TSS32
                end_when
                check   "3A 7.4", "an interrupt in V86 mode through a task gate, and IRET back into V86 mode"
                mov     dword [tss_b + tss.eip], .from_v86
                set_gate idt_at(UD), TSS_B, 0, A_TASKGATE, 0
                mov     eax, 0x1111
                try     v86
.v86_ud:        ud2
                jmp     short .v86_end
                high
.from_v86:      mov     eax, [tss_main + tss.eflags]
                mov     [SCRATCH], eax
                movzx   eax, word [tss_main + tss.ds]
                mov     [SCRATCH + 4], eax
                mov     eax, [tss_main + tss.eip]
                mov     [SCRATCH + 8], eax
                add     dword [tss_main + tss.eip], 2
                iretd
                low
.v86_end:       mov     bx, ds
                yrt
                clts
                and     dword [SCRATCH], FL_VM | FL_RF
                is      [SCRATCH], FL_VM | FL_RF
                is      [SCRATCH + 4], SCRATCH_SEG
                is      [SCRATCH + 8], .v86_ud - image
                is      [after + regs.ebx], SCRATCH_SEG
                is      [after + regs.eax], 0x1111
                flags   FL_VM, FL_VM

                when    HAS_486
                subject "alignment of stacks"
                check   "3A 6.15 #AC", "PUSH to an odd stack: #AC(0), ESP unchanged"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     dword [run.eflags], FL_AC
                expect  AC, 0, .push
                try     u32
                mov     esp, USTACK - 2
.push:          push    eax
                yrt
                is      [after + regs.esp], USTACK - 2
                check   "3A 6.15 #AC", "the frame that a fault pushes at CPL 0 is not checked"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     dword [tss_main + tss.esp0], KSTACK - 1
                mov     dword [run.eflags], FL_AC
                expect  UD
                try     u32
                ud2
                yrt
                check   "3A 6.15 #AC", "a string operation in the middle"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     dword [run.eflags], FL_AC
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 0x102
                mov     ecx, 2
                expect  AC, 0, .string
                try     u32
.string:        rep movsd
                yrt
                is      [after + regs.ecx], 2
                check   "3A 6.15 #AC", "descriptor tables may lie at odd addresses"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     esi, LIVE
                mov     edi, SCRATCH + 0x101
                mov     ecx, BEYOND / 4
                rep movsd
                mov     dword [gdtr + 2], SCRATCH + 0x101
                lgdt    [gdtr]
                mov     dword [gdtr + 2], gdt
                mov     dword [run.eflags], FL_AC
                mov     eax, UDATA
                try     u32
                mov     es, ax
                yrt
                end_when

                subject "more of single step"
                check   "3B 17.3.1.4", "a task switch by CALL under TF: the flags are the new task's, no trap there"
                mov     dword [tss_b + tss.eip], .step_task
                xor     eax, eax
                mov     dr6, eax
                mov     dword [run.eflags], FL_TF
                expect  ANY
                try     k32
                call    TSS_B:0
.step_task:     inc     eax
                int     OK
                yrt
                clts
                is      [after + regs.cs], KCODE
                mov     eax, [tss_main + tss.eflags]
                and     eax, FL_TF
                is      eax, FL_TF
                check   "3B 17.3.1.4", "IRET that sets TF: the trap is after the next instruction"
                breakpoint 0, 0
                expect  DB_, 0, .after_next
                try     u32
                push    dword FL_TF | 2
                push    dword UCODE
                push    dword .next
                iretd
.next:          inc     ecx
.after_next:    inc     ecx
                yrt
                is      [after + regs.ecx], 1
                check   "3B 17.3.1.4", "a far CALL through a gate to CPL 0 keeps TF: the trap is at the procedure's first instruction"
                breakpoint 0, 0
                set_gate gdt_at(T0), KCODE, .procedure, A_CALL32 | A_DPL3, 0
                mov     dword [run.eflags], FL_TF
                expect  ANY
                try     u32
                call    T0 | 3:0
.procedure:     nop
                nop
                yrt
                is      [after + regs.vector], DB_
                is      [after + regs.eip], .procedure
                is      [after + regs.cs], KCODE
                check   "2B STI", "TF and INT3: the breakpoint's handler is entered, no single step"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                expect  BP_, 0, .int3
                try     u32
                int3
.int3:
                yrt
                dr6_is  0
                ret
