; IRET between all levels, privileged instructions, IOPL and the I/O permission bitmap, SYSENTER and
; SYSEXIT (SDM 3A 2.8, 5.8.7, 5.9; 2A IRET; SDM 1 19.5 I/O protection).

; A privileged instruction at CPL 3, and at CPL 1 with IOPL 0.
%macro privileged 2+                            ; name, instruction
                check   "3A 5.9", %1
                expect  GP, 0
                mov     eax, USTACK
                mov     ebx, SCRATCH
                try     u32
                %2
                yrt
                check   "3A 5.9", %1
                expect  GP, 0
                mov     ebx, SCRATCH
                try     r1
                %2
                yrt
%endmacro

; IRET from CPL 0 to CPL %1 and what it does.
%macro iret_to 4                                ; code, data, stack, level's name
                check   "2A IRET", %4
                try     k32
                push    dword %2
                push    dword %3
                push    dword FL_IOPL | FL_IF | FL_CF | 2
                push    dword %1
                push    dword .to
                iretd
.to:            pushfd
                pop     eax
                mov     ebx, cs
                mov     ecx, ss
                mov     edx, esp
                mov     esi, ds
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF | FL_CF
                is      [after + regs.eax], FL_IOPL | FL_IF | FL_CF
                is      [after + regs.ebx], %1
                is      [after + regs.ecx], %2
                is      [after + regs.edx], %3
                is      [after + regs.esi], 0
%endmacro

; IRET at CPL 3 with a bad frame.
%macro bad_iret 6                               ; section, text, context, CS, vector, error
                check   %1, %2
                expect  %5, %6, .at
                try     %3
                push    dword 2
                push    dword %4
                push    dword 0
.at:            iretd
                yrt
%endmacro

; At CPL 0, a frame with SS:ESP.
%macro bad_iret_out 6                           ; section, text, CS, SS, vector, error
                check   %1, %2
                descriptor T0, 0, 0xFFFFF, (A_DATA | A_DPL3) - NOT_PRESENT, D_FLAT
                descriptor T1, 0, 0xFFFFF, A_RODATA | A_DPL3, D_FLAT
                descriptor T2, 0, 0xFFFFF, (A_CODE | A_DPL3) - NOT_PRESENT, D_FLAT
                expect  %5, %6, .at
                try     k32
                push    dword %4
                push    dword USTACK
                push    dword 2
                push    dword %3
                push    dword 0
.at:            iretd
                yrt
%endmacro

; Port access at CPL 3 with IOPL 0: bits of the bitmap set for port 0x80 + n.
%macro port_check 5+                            ; section, text, vector, first bits, instruction
                check   %1, %2
                mov     dword [iomap + 0x80 / 8], %4
                expect  %3, 0
                mov     edx, 0x80
                try     u32
                %5
                yrt
%endmacro

privilege:      subject "IRET"
                iret_to CODE1, DATA1, STACK1, "from CPL 0 to 1: all flags, inner data segments become null"
                iret_to CODE2, DATA2, STACK2, "from CPL 0 to 2: all flags, inner data segments become null"
                iret_to UCODE, UDATA, USTACK, "from CPL 0 to 3: all flags, inner data segments become null"
                check   "2A IRET", "at CPL 0 to CPL 0: no stack switch, IOPL and IF are loaded"
                try     k32
                mov     ebx, esp
                push    dword FL_IOPL | FL_IF | 2
                push    dword KCODE
                push    dword .same
                iretd
.same:          pushfd
                pop     eax
                cli
                sub     ebx, esp
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF
                is      [after + regs.eax], FL_IOPL | FL_IF
                is      [after + regs.ebx], 0
                check   "2A IRET", "at CPL 3 with IOPL 0: IF and IOPL stay, the rest is loaded"
                try     u32
                push    dword FL_IOPL | FL_IF | FL_DF | FL_CF | 2
                push    dword UCODE
                push    dword .cpl3
                iretd
.cpl3:          pushfd
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF | FL_DF | FL_CF
                is      [after + regs.eax], FL_DF | FL_CF
                check   "2A IRET", "at CPL 3 with IOPL 3: IF is loaded"
                mov     dword [run.eflags], FL_IOPL
                try     u32
                push    dword FL_IF | 2
                push    dword UCODE
                push    dword .iopl3
                iretd
.iopl3:         pushfd
                cli
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF
                is      [after + regs.eax], FL_IOPL | FL_IF
                check   "2A IRET", "at CPL 1 to CPL 3 with IOPL 0: IF and IOPL stay"
                try     r1
                push    dword UDATA
                push    dword USTACK
                push    dword FL_IOPL | FL_IF | FL_CF | 2
                push    dword UCODE
                push    dword .from1
                iretd
.from1:         pushfd
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF | FL_CF
                is      [after + regs.eax], FL_CF
                check   "2A IRET", "at CPL 3 the VM bit of the image is ignored"
                try     u32
                push    dword FL_VM | 2
                push    dword UCODE
                push    dword .no_vm
                iretd
.no_vm:
                yrt
                when    HAS_486
                check   "2A IRET", "a 16-bit IRET leaves the upper half of EFLAGS"
                mov     dword [run.eflags], FL_AC
                try     u32
                push    word 2
                push    word UCODE
                push    word 0
                mov     dword [esp], ((UCODE << 16) + (.iret16 - image)) ; segment base 20000: UCODE16
                mov     word [esp + 2], UCODE16
                o16 iret
                low
.iret16:        pushfd
                pop     eax
                jmp     dword UCODE:.iret16_end
                high
.iret16_end:
                yrt
                flags   FL_AC, FL_AC
                end_when
                bad_iret "2A IRET", "to an inner level: #GP(selector)", u32, CODE2, GP, CODE2 & ~3
                bad_iret "2A IRET", "to the null selector: #GP(0)", u32, 3, GP, 0
                bad_iret "2A IRET", "to data: #GP(selector)", u32, UDATA, GP, UDATA & ~3
                bad_iret "2A IRET", "to beyond the GDT: #GP(selector)", u32, BEYOND | 3, GP, BEYOND
                bad_iret "2A IRET", "to RPL 3 with code of DPL 0: #GP(selector)", k32, KCODE | 3, GP, KCODE
                bad_iret_out "2A IRET", "to CPL 3 with a null SS: #GP(0)", UCODE, 0, GP, 0
                bad_iret_out "2A IRET", "to CPL 3 with SS of RPL 0: #GP(selector)", UCODE, UDATA & ~3, GP, UDATA & ~3
                bad_iret_out "2A IRET", "to CPL 3 with SS of DPL 0: #GP(selector)", UCODE, KDATA | 3, GP, KDATA
                bad_iret_out "2A IRET", "to CPL 3 with read-only SS: #GP(selector)", UCODE, T1 | 3, GP, T1
                bad_iret_out "3A 6.15 #SS", "IRET to CPL 3 with SS not present: #SS(selector)", UCODE, T0 | 3, SS_, T0
                bad_iret_out "2A IRET", "to CPL 3 code that is not present: #NP(selector)", T2 | 3, UDATA, NP, T2
                check   "2A IRET", "EIP beyond the new segment: #GP(0)"
                descriptor T0, 0, 0xFF, A_CODE, D_BIG
                expect  GP, 0, .limit
                try     k32
                push    dword 2
                push    dword T0
                push    dword gate_end          ; (ends the check where limits are ignored)
.limit:         iretd
                yrt
                check   "2A IRET", "to CPL 3 with a 16-bit stack: only SP is loaded"
                descriptor T0, 0, 0xFFFF, A_DATA | A_DPL3, 0
                try     k32
                push    dword T0 | 3
                push    dword 0xABCD8000
                push    dword 2
                push    dword UCODE
                push    dword .stack16
                iretd
.stack16:       mov     eax, ss
                yrt
                and     dword [after + regs.esp], 0xFFFF
                is      [after + regs.esp], 0x8000
                is      [after + regs.ss], T0 | 3

                subject "privileged instructions"
                privileged "HLT above CPL 0: #GP(0)", hlt
                privileged "CLTS above CPL 0: #GP(0)", clts
                privileged "LGDT above CPL 0: #GP(0)", lgdt [ebx]
                privileged "LIDT above CPL 0: #GP(0)", lidt [ebx]
                privileged "LLDT above CPL 0: #GP(0)", lldt ax
                privileged "LTR above CPL 0: #GP(0)", ltr ax
                privileged "LMSW above CPL 0: #GP(0)", lmsw ax
                privileged "MOV to CR0 above CPL 0: #GP(0)", mov cr0, eax
                privileged "MOV from CR0 above CPL 0: #GP(0)", mov eax, cr0
                privileged "MOV to CR3 above CPL 0: #GP(0)", mov cr3, eax
                privileged "MOV from CR2 above CPL 0: #GP(0)", mov eax, cr2
                privileged "MOV to DR7 above CPL 0: #GP(0)", mov dr7, eax
                privileged "MOV from DR0 above CPL 0: #GP(0)", mov eax, dr0
                privileged "CLI above IOPL: #GP(0)", cli
                privileged "STI above IOPL: #GP(0)", sti
                when    HAS_486
                privileged "INVD above CPL 0: #GP(0)", invd
                privileged "WBINVD above CPL 0: #GP(0)", wbinvd
                privileged "INVLPG above CPL 0: #GP(0)", invlpg [ebx]
                end_when
                when    HAS_MSR
                privileged "RDMSR above CPL 0: #GP(0)", rdmsr
                privileged "WRMSR above CPL 0: #GP(0)", wrmsr
                end_when
                when    HAS_TSC
                check   "2B RDTSC", "RDTSC at CPL 3 without CR4.TSD"
                try     u32
                rdtsc
                yrt
                check   "2B RDTSC", "RDTSC at CPL 3 with CR4.TSD: #GP(0)"
                mov     eax, CR4_TSD
                mov     cr4, eax
                expect  GP, 0
                try     u32
                rdtsc
                yrt
                check   "2B RDTSC", "RDTSC at CPL 0 with CR4.TSD"
                mov     eax, CR4_TSD
                mov     cr4, eax
                try     k32
                rdtsc
                yrt
                end_when
                check   "2B SMSW", "SMSW, SGDT, SIDT, SLDT, STR are not privileged"
                mov     ebx, SCRATCH
                try     u32
                smsw    eax
                sgdt    [ebx]
                sidt    [ebx + 8]
                sldt    ecx
                str     edx
                yrt
                is      [SCRATCH + 2], gdt
                is      [SCRATCH + 10], idt
                is      [after + regs.ecx], LDT
                is      [after + regs.edx], TSS_MAIN
                check   "2A LMSW", "LMSW cannot clear PE"
                xor     eax, eax
                try     k32
                lmsw    ax
                mov     ebx, cr0
                yrt
                and     dword [after + regs.ebx], 1
                is      [after + regs.ebx], 1
                check   "2A MOV CR", "PG without PE: #GP(0)"
                mov     eax, CR0_PG
                expect  GP, 0
                try     k32
                mov     cr0, eax
                yrt
                when    HAS_486
                check   "2A MOV CR", "NW without CD: #GP(0)"
                mov     eax, cr0
                and     eax, ~(1 << 30)
                or      eax, 1 << 29
                expect  GP, 0
                try     k32
                mov     cr0, eax
                yrt
                end_when
                when    HAS_PSE
                when    NOT_TCG
                check   "2A MOV CR", "a reserved bit of CR4 (15): #GP(0)"
                mov     eax, 1 << 15
                expect  GP, 0
                try     k32
                mov     cr4, eax
                yrt
                end_when
                end_when
                check   "2A MOV CR", "MOV to CR1: #UD"
                expect  UD
                try     k32
                db      0x0F, 0x22, 0xC8
                yrt
                check   "2A MOV CR", "MOV from CR5: #UD"
                expect  UD
                try     k32
                db      0x0F, 0x20, 0xE8
                yrt
                check   "2A MOV CR", "the mod bits are ignored: a register operand"
                try     k32
                db      0x0F, 0x20, 0x00        ; mod = 0: MOV EAX, CR0
                yrt
                mov     eax, cr0
                is      [after + regs.eax], eax
                check   "2B POPF", "POPF at CPL 3 with IOPL 0: IF and IOPL stay without a fault"
                try     u32
                push    dword FL_IOPL | FL_IF | FL_DF | 2
                popfd
                pushfd
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF | FL_DF
                is      [after + regs.eax], FL_DF
                check   "2B POPF", "POPF at CPL 1 with IOPL 1: IF changes, IOPL stays"
                mov     dword [run.eflags], 1 << 12
                try     r1
                push    dword FL_IOPL | FL_IF | 2
                popfd
                pushfd
                cli
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_IOPL | FL_IF
                is      [after + regs.eax], 1 << 12 | FL_IF
                check   "2B POPF", "POPF cannot change VM and RF"
                try     k32
                push    dword FL_VM | FL_RF | 2
                popfd
                pushfd
                pop     eax
                yrt
                and     dword [after + regs.eax], FL_VM | FL_RF
                is      [after + regs.eax], 0

                when    HAS_486
                check   "3A 6.15 #AC", "alignment check at CPL 3 with AM and AC: #AC(0)"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     ebx, SCRATCH + 2
                mov     dword [run.eflags], FL_AC
                expect  AC, 0
                try     u32
                mov     eax, [ebx]
                yrt
                check   "3A 6.15 #AC", "aligned words and dwords"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     ebx, SCRATCH + 4
                mov     dword [run.eflags], FL_AC
                try     u32
                mov     eax, [ebx]
                mov     ax, [ebx + 2]
                mov     al, [ebx + 1]
                yrt
                check   "3A 6.15 #AC", "no alignment check at CPL 0"
                mov     eax, cr0
                or      eax, CR0_AM
                mov     cr0, eax
                mov     ebx, SCRATCH + 1
                mov     dword [run.eflags], FL_AC
                try     k32
                mov     eax, [ebx]
                yrt
                check   "3A 6.15 #AC", "no alignment check without CR0.AM"
                mov     ebx, SCRATCH + 1
                mov     dword [run.eflags], FL_AC
                try     u32
                mov     eax, [ebx]
                yrt
                end_when

                subject "I/O protection"
                port_check "1 19.5.2", "a port that the bitmap allows", OK, 0, in al, dx
                port_check "1 19.5.2", "a port that the bitmap refuses: #GP(0)", GP, 1, in al, dx
                port_check "1 19.5.2", "a word needs two bits", GP, 2, in ax, dx
                port_check "1 19.5.2", "a dword needs four bits", GP, 8, out dx, eax
                port_check "1 19.5.2", "the fifth bit does not matter", OK, 0x10, in eax, dx
                port_check "1 19.5.2", "IN with an immediate port", GP, 1, in al, 0x80
                port_check "1 19.5.2", "OUTS", GP, 1, outsb
                port_check "1 19.5.2", "INS", GP, 1, insb
                check   "1 19.5.1", "CPL <= IOPL: the bitmap is not asked"
                mov     dword [iomap + 0x80 / 8], -1
                mov     dword [run.eflags], FL_IOPL
                try     u32
                in      al, 0x80
                yrt
                check   "1 19.5.2", "a bitmap that crosses a byte: ports 87 and 88"
                mov     byte [iomap + 0x88 / 8], 1
                mov     edx, 0x87
                expect  GP, 0
                try     u32
                in      ax, dx
                yrt
                check   "1 19.5.2", "the bit lies beyond the TSS's limit: #GP(0)"
                descriptor TSS_B, tss_main, IOMAP_OFFSET + 0x11, A_TSS32, 0
                mov     ax, TSS_B
                ltr     ax
                mov     edx, 0x88
                expect  GP, 0
                try     u32
                in      al, dx
                yrt
                check   "1 19.5.2", "two bytes of the bitmap are read: the second one beyond the limit: #GP(0)"
                descriptor TSS_B, tss_main, IOMAP_OFFSET + 0x10, A_TSS32, 0
                mov     ax, TSS_B
                ltr     ax
                mov     edx, 0x80
                expect  GP, 0
                try     u32
                in      al, dx
                yrt
                check   "1 19.5.2", "and the second one just inside"
                descriptor TSS_B, tss_main, IOMAP_OFFSET + 0x11, A_TSS32, 0
                mov     ax, TSS_B
                ltr     ax
                mov     edx, 0x80
                try     u32
                in      al, dx
                yrt
                check   "1 19.5.2", "a 16-bit TSS has no bitmap: #GP(0)"
                descriptor TSS_B, tss_main, IOMAP_OFFSET + 0x2000, A_TSS16, 0
                mov     word [tss_main + 2], KSTACK & 0xFFFF ; its SP0, SS0
                mov     ax, TSS_B
                ltr     ax
                set_gate idt_at(GP), CODE16, 0, A_INT32, 0
                descriptor T0, KSTACK & ~0xFFFF, 0xFFFF, A_DATA, 0
                mov     word [tss_main + 4], T0
                mov     dword [idt_at(GP)], KCODE << 16
                mov     eax, .gp16
                mov     [idt_at(GP)], ax
                shr     eax, 16
                mov     [idt_at(GP) + 6], ax
                expect  ANY
                try     u32
.in16:          in      al, 0x80
.gp16:          pop     eax                     ; error code
                pop     ebx
                mov     ecx, cs
                yrt
                is      [after + regs.eax], 0
                is      [after + regs.ebx], .in16
                is      [after + regs.ecx], KCODE

                when    HAS_SEP
                subject "SYSENTER"
%macro sysenter_msrs 1
                mov     ecx, 0x174
                mov     eax, %1
                xor     edx, edx
                wrmsr
                inc     ecx
                mov     eax, MAIN_STACK - 0x400
                wrmsr
                inc     ecx
                mov     eax, .entry
                wrmsr
%endmacro
                check   "3A 5.8.7", "SYSENTER: CS, SS, ESP, EIP from the MSRs; IF is cleared"
                sysenter_msrs KCODE
                mov     dword [run.eflags], FL_IF
                try     u32
                sysenter
.entry:         mov     eax, cs
                mov     ebx, ss
                mov     ecx, esp
                pushfd
                pop     edx
                yrt
                is      [after + regs.eax], KCODE
                is      [after + regs.ebx], KDATA
                is      [after + regs.ecx], MAIN_STACK - 0x400
                and     dword [after + regs.edx], FL_IF
                is      [after + regs.edx], 0
                check   "2B SYSENTER", "SYSENTER_CS null: #GP(0)"
                sysenter_msrs 3
                expect  GP, 0
                try     u32
                sysenter
.entry:
                yrt
                check   "2B SYSEXIT", "SYSEXIT: CS + 16, CS + 24 with RPL 3; EDX, ECX"
                ; CS + 16 is CODE16's slot here: only the selectors differ, the segments are flat
                sysenter_msrs KCODE
                mov     edx, .entry
                mov     ecx, USTACK
                try     k32
                sysexit
.entry:         mov     eax, cs
                mov     ebx, ss
                mov     esi, esp
                yrt
                is      [after + regs.eax], KCODE + 16 | 3
                is      [after + regs.ebx], KCODE + 24 | 3
                is      [after + regs.esi], USTACK
                check   "2B SYSEXIT", "SYSEXIT at CPL 3: #GP(0)"
                sysenter_msrs KCODE
                expect  GP, 0
                try     u32
                sysexit
.entry:
                yrt
                end_when
                ret
