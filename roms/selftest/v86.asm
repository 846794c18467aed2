; Virtual-8086 mode, with and without VME; protected-mode virtual interrupts (SDM 3B 20.1-20.4).

; At IOPL 0 this instruction is #GP(0); at IOPL 3 it runs.
%macro v86_sensitive 2+
                check   "3B 20.2.7", %1
                expect  GP, 0
                try     v86
                %2
                yrt
                check   "3B 20.2.7", %1
                mov     dword [run.eflags], FL_IOPL
                try     v86
                %2
                yrt
%endmacro

%macro v86_fault 4+                             ; name, vector, error, instruction
                check   "3B 20.2", %1
                mov     dword [run.eflags], FL_IOPL
                expect  %2, %3
                try     v86
                %4
                yrt
%endmacro

%macro vme 0
                mov     eax, CR4_VME
                mov     cr4, eax
                xor     eax, eax
%endmacro

v86:            subject "virtual-8086 mode"
                check   "3B 20.1", "segments are shifted selectors with limit FFFF; IRET loads all of them"
                mov     dword [SCRATCH + 0xFFFC], 0x600DDA7A
                try     v86
                mov     eax, [0xFFFC]
                mov     bx, ds
                mov     cx, ss
                mov     dx, cs
                mov     si, gs
                yrt
                is      [after + regs.eax], 0x600DDA7A
                is      [after + regs.ebx], SCRATCH_SEG
                is      [after + regs.ecx], REAL_STACK_SEG
                is      [after + regs.edx], REAL_SEG
                is      [after + regs.esi], SCRATCH_SEG
                check   "3B 20.2.5", "an exception pushes GS FS DS ES SS ESP EFLAGS CS EIP and nulls the data segments"
                expect  UD
                try     v86
                ud2
                yrt
                is      [KSTACK - 4], SCRATCH_SEG
                is      [KSTACK - 16], SCRATCH_SEG
                is      [KSTACK - 20], REAL_STACK_SEG
                is      [KSTACK - 24], 0xFFF0
                is      [KSTACK - 32], REAL_SEG
                check   "3B 20.2.5", "the handler's data segments are null"
                set_gate idt_at(UD), KCODE, .null_handler, A_INT32, 0
                expect  ANY
                try     v86
                ud2
                high
.null_handler:  mov     eax, ds
                mov     ecx, es
                mov     edx, fs
                mov     ebx, gs
                pushfd
                pop     esi
                int     OK
                low
                yrt
                movzx   eax, word [after + regs.eax]
                is      eax, 0
                movzx   eax, word [after + regs.ecx]
                is      eax, 0
                movzx   eax, word [after + regs.edx]
                is      eax, 0
                movzx   eax, word [after + regs.ebx]
                is      eax, 0
                and     dword [after + regs.esi], FL_VM | FL_NT | FL_TF
                is      [after + regs.esi], 0
                check   "3B 20.2", "an operand across FFFF: #GP(0)"
                expect  GP, 0
                try     v86
                mov     ax, [0xFFFF]
                yrt
                check   "3B 20.2", "a stack operand across FFFF: #SS(0)"
                mov     ebp, 0xFFFF
                expect  SS_, 0
                try     v86
                mov     ax, [bp]
                yrt
                check   "3B 20.2", "a 32-bit offset above FFFF: #GP(0)"
                mov     ebx, 0x10000
                expect  GP, 0
                try     v86
                mov     al, [ebx]
                yrt
                check   "3B 20.2", "CS is writable data as well"
                try     v86
                mov     [cs:.word - image], ax
                jmp     short .written
.word:          dw      0x5555
.written:
                yrt
                check   "3B 20.2", "a far jump loads a shifted selector"
                try     v86
                jmp     REAL_SEG + 1:.far - image - 16
.far:           mov     ax, cs
                jmp     REAL_SEG:.far_end - image
.far_end:
                yrt
                is      [after + regs.eax], REAL_SEG + 1
                v86_sensitive "CLI", cli
                check   "3B 20.2.7", "STI at IOPL 0: #GP(0)"
                expect  GP, 0
                try     v86
                sti
                yrt
                v86_sensitive "PUSHF", pushf
                v86_sensitive "POPF", popf
                v86_sensitive "PUSHFD", pushfd
                check   "3B 20.2.7", "INT 21 at IOPL 0: #GP(0)"
                expect  GP, 0
                try     v86
                int     0x21
                yrt
                check   "3B 20.2.7", "INT 21 at IOPL 3: through the IDT"
                mov     dword [run.eflags], FL_IOPL
                expect  0x21, 0, .int21
                try     v86
                int     0x21
.int21:
                yrt
                check   "3B 20.2.7", "INT3 is not IOPL-sensitive"
                expect  BP_, 0, .bp
                try     v86
                int3
.bp:
                yrt
                check   "3B 20.2.7", "IRET at IOPL 0: #GP(0)"
                expect  GP, 0
                try     v86
                iret
                yrt
                check   "3B 20.2.7", "IRET at IOPL 3: IP CS FLAGS, IOPL and VM stay"
                mov     dword [run.eflags], FL_IOPL
                try     v86
                push    word FL_CF
                push    word REAL_SEG
                push    word .iret - image
                iret
.iret:
                yrt
                flags   FL_IOPL | FL_CF | FL_VM, FL_IOPL | FL_CF | FL_VM
                check   "3B 20.2.7", "POPF at IOPL 3 loads IF, not IOPL"
                mov     dword [run.eflags], FL_IOPL
                try     v86
                push    word FL_IF
                popf
                yrt
                flags   FL_IOPL | FL_IF, FL_IOPL | FL_IF
                v86_fault "HLT: #GP(0)", GP, 0, hlt
                v86_fault "CLTS: #GP(0)", GP, 0, clts
                v86_fault "LGDT: #GP(0)", GP, 0, lgdt [0]
                v86_fault "MOV from CR0: #GP(0)", GP, 0, mov eax, cr0
                v86_fault "MOV to DR7: #GP(0)", GP, 0, mov dr7, eax
                v86_fault "LLDT: #UD", UD, 0, lldt ax
                v86_fault "LTR: #UD", UD, 0, ltr ax
                v86_fault "SLDT: #UD", UD, 0, sldt ax
                v86_fault "STR: #UD", UD, 0, str ax
                v86_fault "LAR: #UD", UD, 0, lar ax, cx
                v86_fault "LSL: #UD", UD, 0, lsl ax, cx
                v86_fault "VERR: #UD", UD, 0, verr cx
                v86_fault "VERW: #UD", UD, 0, verw cx
                v86_fault "ARPL: #UD", UD, 0, arpl ax, cx
                check   "3B 20.2.8", "ports follow the bitmap, whatever IOPL is"
                mov     byte [iomap + 0x80 / 8], 1
                mov     dword [run.eflags], FL_IOPL
                expect  GP, 0
                try     v86
                in      al, 0x80
                yrt
                check   "3B 20.2.8", "a port that the bitmap allows, at IOPL 0"
                try     v86
                in      al, 0x80
                yrt
                check   "3B 20.3.1", "a handler of DPL 3: #GP(selector)"
                set_gate idt_at(0x21), UCODE, gate_end, A_INT32 | A_DPL3, 0
                mov     dword [run.eflags], FL_IOPL
                expect  GP, UCODE & ~3
                try     v86
                int     0x21
                yrt
                check   "3B 20.3.1", "a handler of DPL 1: #GP(selector)"
                set_gate idt_at(0x21), CODE1, gate_end, A_INT32 | A_DPL3, 0
                mov     dword [run.eflags], FL_IOPL
                expect  GP, CODE1 & ~3
                try     v86
                int     0x21
                yrt
                check   "3B 20.3.1", "a conforming handler: #GP(selector)"
                descriptor T0, 0, 0xFFFFF, A_CONF, D_FLAT
                set_gate idt_at(0x21), T0, gate_end, A_INT32 | A_DPL3, 0
                mov     dword [run.eflags], FL_IOPL
                expect  GP, T0
                try     v86
                int     0x21
                yrt
                check   "3B 20.3.1", "a gate of DPL 0: #GP(vector, IDT)"
                set_gate idt_at(0x21), KCODE, gate_end, A_INT32, 0
                mov     dword [run.eflags], FL_IOPL
                expect  GP, 0x21 * 8 + 2
                try     v86
                int     0x21
                yrt
                check   "2A IRET", "IRET to V86 mode with EIP above FFFF: #GP(0)"
                expect  GP, 0, .high_eip
                try     k32
                push    dword 0
                push    dword 0
                push    dword 0
                push    dword 0
                push    dword REAL_STACK_SEG
                push    dword 0xFFF0
                push    dword FL_VM | 2
                push    dword REAL_SEG
                push    dword 0x10000 + low_end - image
.high_eip:      iretd
                yrt
                check   "3A 7.3", "a task switch into V86 mode"
                mov     dword [tss_b + tss.cs], REAL_SEG
                mov     dword [tss_b + tss.ss], REAL_STACK_SEG
                mov     dword [tss_b + tss.ds], SCRATCH_SEG
                mov     dword [tss_b + tss.es], 0x1234
                mov     dword [tss_b + tss.esp], 0x8000
                mov     dword [tss_b + tss.eflags], FL_VM | FL_IOPL | 2
                mov     dword [tss_b + tss.eip], .task - image
                expect  ANY
                try     k32
                jmp     TSS_B:0
                low
.task:          mov     ax, es
                mov     bx, cs
                push    bx
                int     OK
                high
                yrt
                clts
                movzx   eax, word [after + regs.eax]
                is      eax, 0x1234
                movzx   eax, word [after + regs.ebx]
                is      eax, REAL_SEG
                is      [after + regs.esp], 0x7FFE
                flags   FL_VM, FL_VM

                when    HAS_VME
                subject "virtual mode extensions"
                check   "3B 20.3.2", "INT whose bit is clear: the 8086 program's own handler, IF stays VIF"
                vme
                and     byte [redirection + 0x80 / 8], ~1
                mov     word [0x80 * 4], .own - image ; (the vector table is at 0)
                mov     dword [run.eflags], FL_VIF | FL_CF
                expect  ANY
                try     v86
                int     0x80
.own_ret:       nop
.own:           pop     ax                      ; IP
                pop     bx                      ; CS
                pop     cx                      ; FLAGS
                hlt
                yrt
                mov     word [0x80 * 4], real_stub + 0x80 * 3 - image
                movzx   eax, word [after + regs.eax]
                is      eax, .own_ret - image
                movzx   eax, word [after + regs.ebx]
                is      eax, REAL_SEG
                movzx   eax, word [after + regs.ecx]
                and     eax, FL_IF | FL_IOPL | FL_CF | FL_TF
                is      eax, FL_IF | FL_IOPL | FL_CF ; VIF as IF, IOPL as 3
                flags   FL_VIF | FL_VM | FL_IOPL, FL_VM
                check   "3B 20.3.2", "INT whose bit is clear at IOPL 3: own handler, IF itself"
                vme
                and     byte [redirection + 0x80 / 8], ~1
                mov     word [0x80 * 4], .own3 - image
                mov     dword [run.eflags], FL_IF | FL_IOPL
                expect  ANY
                try     v86
                int     0x80
.own3:          pop     ax
                pop     bx
                pop     cx
                hlt
                yrt
                mov     word [0x80 * 4], real_stub + 0x80 * 3 - image
                movzx   eax, word [after + regs.ecx]
                and     eax, FL_IF | FL_IOPL
                is      eax, FL_IF | FL_IOPL
                flags   FL_IF, 0
                check   "3B 20.3.2", "INT whose bit is set at IOPL 0: #GP(0)"
                vme
                expect  GP, 0
                try     v86
                int     0x80
                yrt
                check   "3B 20.3.2", "INT whose bit is set at IOPL 3: through the IDT"
                vme
                mov     dword [run.eflags], FL_IOPL
                expect  0x81, 0, .by_idt
                try     v86
                int     0x81
.by_idt:
                yrt
                check   "3B 20.3.2", "INT3 is not redirected"
                vme
                and     byte [redirection], 0
                expect  BP_, 0, .int3
                try     v86
                int3
.int3:
                yrt
                check   "3B 20.3", "CLI and STI work on VIF"
                vme
                try     v86
                sti
                pushf
                pop     ax
                cli
                pushf
                pop     bx
                yrt
                movzx   eax, word [after + regs.eax]
                and     eax, FL_IF | FL_IOPL
                is      eax, FL_IF | FL_IOPL
                movzx   eax, word [after + regs.ebx]
                and     eax, FL_IF
                is      eax, 0
                flags   FL_VIF | FL_IF, 0
                check   "2B STI", "STI with VIP: #GP(0)"
                vme
                mov     dword [run.eflags], FL_VIP
                expect  GP, 0
                try     v86
                sti
                yrt
                check   "2B POPF", "POPF of IF goes to VIF"
                vme
                try     v86
                push    word FL_IF | FL_CF
                popf
                yrt
                flags   FL_VIF | FL_IF | FL_CF, FL_VIF | FL_CF
                check   "2B POPF", "POPF of IF with VIP: #GP(0)"
                vme
                mov     dword [run.eflags], FL_VIP
                expect  GP, 0, .popf_vip
                try     v86
                push    word FL_IF
.popf_vip:      popf
                yrt
                check   "2B POPF", "POPF of TF: #GP(0)"
                vme
                expect  GP, 0, .popf_tf
                try     v86
                push    word FL_TF
.popf_tf:       popf
                yrt
                check   "2B POPF", "POPFD below IOPL 3: #GP(0)"
                vme
                expect  GP, 0
                try     v86
                popfd
                yrt
                check   "2B PUSHF", "PUSHFD below IOPL 3: #GP(0)"
                vme
                expect  GP, 0
                try     v86
                pushfd
                yrt
                check   "2A IRET", "IRETD below IOPL 3: #GP(0)"
                vme
                expect  GP, 0
                try     v86
                iretd
                yrt
                check   "2B POPF", "POPF at IOPL 3 loads IF, not VIF"
                vme
                mov     dword [run.eflags], FL_IOPL
                try     v86
                push    word FL_IF | FL_CF
                popf
                pushf
                pop     ax
                cli
                yrt
                movzx   eax, word [after + regs.eax]
                and     eax, FL_IF | FL_IOPL | FL_CF
                is      eax, FL_IF | FL_IOPL | FL_CF
                flags   FL_VIF | FL_IF, 0
                check   "3B 20.3.2", "INTO is not redirected"
                vme
                and     byte [redirection], 0
                mov     dword [run.eflags], FL_OF
                expect  OF_, 0, .into
                try     v86
                into
.into:
                yrt
                check   "2A IRET", "IRET of IF goes to VIF"
                vme
                try     v86
                push    word FL_IF | FL_CF
                push    word REAL_SEG
                push    word .iret_vif - image
                iret
.iret_vif:
                yrt
                flags   FL_VIF | FL_IF | FL_CF, FL_VIF | FL_CF
                check   "2A IRET", "IRET of IF with VIP: #GP(0)"
                vme
                mov     dword [run.eflags], FL_VIP
                expect  GP, 0, .iret_vip
                try     v86
                push    word FL_IF
                push    word REAL_SEG
                push    word 0
.iret_vip:      iret
                yrt
                check   "2A IRET", "IRET of TF: #GP(0)"
                vme
                expect  GP, 0, .iret_tf
                try     v86
                push    word FL_TF
                push    word REAL_SEG
                push    word 0
.iret_tf:       iret
                yrt
                subject "protected-mode virtual interrupts"
                check   "3B 20.4", "PVI: CLI and STI at CPL 3 work on VIF"
                mov     eax, CR4_PVI
                mov     cr4, eax
                try     u32
                sti
                pushfd
                pop     eax
                cli
                yrt
                and     dword [after + regs.eax], FL_VIF | FL_IF
                is      [after + regs.eax], FL_VIF
                flags   FL_VIF | FL_IF, 0
                check   "3B 20.4", "PVI: STI with VIP: #GP(0)"
                mov     eax, CR4_PVI
                mov     cr4, eax
                mov     dword [run.eflags], FL_VIP
                expect  GP, 0
                try     u32
                sti
                yrt
                check   "3B 20.4", "PVI at IOPL 3: CLI and STI work on IF"
                mov     eax, CR4_PVI
                mov     cr4, eax
                mov     dword [run.eflags], FL_IOPL
                try     u32
                sti
                pushfd
                pop     eax
                cli
                yrt
                and     dword [after + regs.eax], FL_VIF | FL_IF
                is      [after + regs.eax], FL_IF
                flags   FL_VIF | FL_IF, 0
                check   "3B 20.4", "PVI: POPF leaves IF and VIF"
                mov     eax, CR4_PVI
                mov     cr4, eax
                try     u32
                push    dword FL_IF | FL_VIF | 2
                popfd
                yrt
                flags   FL_VIF | FL_IF, 0
                check   "3B 20.4", "PVI: not at CPL 1"
                mov     eax, CR4_PVI
                mov     cr4, eax
                expect  GP, 0
                try     r1
                sti
                yrt
                end_when
                ret
