; Interrupt, trap and call gates, far JMP, CALL and RET (SDM 3A 5.8, 6.11-6.13; 2A CALL, INT, JMP; 2B RET).
; Handlers of these checks end in INT 30 themselves, so that the harness sees what they saw.

%macro int_check 7                              ; section, text, selector, offset, access byte, vector, error
                check   %1, %2
                set_gate idt_at(0x80), %3, %4, %5, 0
                expect  %6, %7
                try     k32
                int     0x80
                yrt
%endmacro

; A fault whose delivery fails as well, because of the #UD gate: EXT is set.
%macro ext_check 7
                check   %1, %2
                set_gate idt_at(UD), %3, %4, %5, 0
                expect  %6, %7
                try     k32
                ud2
                yrt
%endmacro

%macro gate_call 6                              ; section, text, context, gate access byte, vector, error
                check   %1, %2
                set_gate gdt_at(T0), KCODE, gate_end, %4, 0
                expect  %5, %6
                try     %3
                call    T0 | 3:0
                yrt
%endmacro

gate_end:       int     OK

gates:          subject "interrupt gates"
                check   "3A 6.12.1.3", "an interrupt gate clears IF, TF, NT, RF; the image keeps them"
                set_gate idt_at(0x80), KCODE, .int_gate, A_INT32, 0
                mov     dword [run.eflags], FL_IF | FL_NT
                try     k32
                int     0x80
.int_gate_ret:  nop
.int_gate:      pushfd
                pop     eax
                pop     ebx
                pop     ecx
                pop     edx
                push    dword .int_gate_end     ; the snippet's end
                ret
.int_gate_end:
                yrt
                is      [after + regs.ebx], .int_gate_ret
                is      [after + regs.ecx], KCODE
                and     dword [after + regs.edx], ~0xD4
                is      [after + regs.edx], FL_IF | FL_NT | 2
                and     dword [after + regs.eax], FL_IF | FL_NT | FL_TF
                is      [after + regs.eax], 0

                check   "3A 6.12.1.3", "a trap gate keeps IF"
                set_gate idt_at(0x80), KCODE, .trap_gate, A_TRAP32, 0
                mov     dword [run.eflags], FL_IF
                try     k32
                int     0x80
.trap_gate:     pushfd
                cli
                pop     eax
                add     esp, 12
                yrt
                and     dword [after + regs.eax], FL_IF
                is      [after + regs.eax], FL_IF

                check   "3A 6.12.1", "a 16-bit gate pushes words"
                set_gate idt_at(0x80), T0, 0x1234, A_INT16, 0
                descriptor T0, 0, 0xFFFF, A_CODE, D_BIG
                mov     eax, .gate16 - 0x1234
                mov     [gdt_at(T0) + 2], ax
                shr     eax, 16
                mov     [gdt_at(T0) + 4], al
                try     k32
                mov     ebx, esp
                int     0x80
.gate16:        mov     ecx, esp
                mov     edx, [esp]
                movzx   esi, word [esp + 4]
                mov     esp, ebx
                jmp     KCODE:.gate16_end
.gate16_end:
                yrt
                mov     eax, [after + regs.ebx]
                sub     eax, [after + regs.ecx]
                is      eax, 6
                mov     eax, .gate16
                and     eax, 0xFFFF
                add     eax, (KCODE << 16)
                is      [after + regs.edx], eax

                int_check "3A 6.12", "gate not present: #NP(vector, IDT)", KCODE, gate_end, A_INT32 - NOT_PRESENT, NP, 0x402
                int_check "3A 6.11", "a call gate in the IDT: #GP(vector, IDT)", KCODE, gate_end, A_CALL32, GP, 0x402
                int_check "3A 6.11", "a TSS in the IDT: #GP(vector, IDT)", KCODE, gate_end, A_TSS32, GP, 0x402
                int_check "3A 6.11", "a code segment in the IDT: #GP(vector, IDT)", KCODE, gate_end, A_CODE, GP, 0x402
                int_check "3A 6.11", "an invalid type that is not present: the type is checked first", KCODE, gate_end, A_CALL32 - NOT_PRESENT, GP, 0x402
                int_check "2A INT", "null code selector: #GP(0)", 0, gate_end, A_INT32, GP, 0
                int_check "2A INT", "code selector beyond the GDT: #GP(selector)", BEYOND, gate_end, A_INT32, GP, BEYOND
                int_check "2A INT", "the handler's segment is data: #GP(selector)", KDATA, gate_end, A_INT32, GP, KDATA
                int_check "2A INT", "the handler's DPL is above CPL: #GP(selector)", UCODE & ~3, gate_end, A_INT32, GP, UCODE & ~3
                check   "2A INT", "the RPL of a gate's selector does not matter"
                set_gate idt_at(0x80), KCODE | 3, gate_end, A_INT32, 0
                expect  ANY
                try     k32
                int     0x80
                yrt
                is      [after + regs.cs], KCODE
                is      [after + regs.vector], OK
                is      [after + regs.eip], gate_end + 2

                check   "2A INT", "the handler's segment is not present: #NP(selector)"
                descriptor T0, 0, 0xFFFFF, A_CODE - NOT_PRESENT, D_FLAT
                set_gate idt_at(0x80), T0, gate_end, A_INT32, 0
                expect  NP, T0
                try     k32
                int     0x80
                yrt
                check   "2A INT", "the handler's offset is beyond its segment: #GP(0)"
                descriptor T0, 0, 0x1FFFF, A_CODE, D_BIG
                set_gate idt_at(0x80), T0, gate_end, A_INT32, 0
                expect  GP, 0
                try     k32
                int     0x80
                yrt
                check   "3A 6.10", "vector beyond the IDT's limit: #GP(vector, IDT)"
                mov     word [idtr], 0x3FE
                lidt    [idtr]
                mov     word [idtr], 0x7FF
                expect  GP, 0x7F * 8 + 2
                try     k32
                int     0x7F
                yrt

                ext_check "3A 6.13", "an exception's gate not present: EXT is set", KCODE, gate_end, A_INT32 - NOT_PRESENT, NP, UD * 8 + 3
                ext_check "3A 6.13", "an exception's gate of a bad type: EXT is set", KCODE, gate_end, A_CALL32, GP, UD * 8 + 3
                ext_check "3A 6.13", "an exception's null code selector: #GP(EXT)", 0, gate_end, A_INT32, GP, 1
                ext_check "3A 6.13", "an exception's code selector is data: #GP(selector + EXT)", KDATA, gate_end, A_INT32, GP, KDATA + 1
                ext_check "3A 6.13", "an exception's code selector is beyond the GDT: #GP(selector + EXT)", BEYOND, gate_end, A_INT32, GP, BEYOND + 1

                check   "3A 6.12.1.1", "INT through a gate of DPL 0 at CPL 3: #GP(vector, IDT)"
                set_gate idt_at(0x80), KCODE, gate_end, A_INT32, 0
                expect  GP, 0x402
                try     u32
                int     0x80
                yrt
                check   "3A 6.12.1.1", "a gate of DPL 0 that is not present, at CPL 3: privilege first"
                set_gate idt_at(0x80), KCODE, gate_end, A_INT32 - NOT_PRESENT, 0
                expect  GP, 0x402
                try     u32
                int     0x80
                yrt
                check   "3A 6.12.1.1", "INT3 through a gate of DPL 0 at CPL 3: #GP(vector, IDT)"
                mov     byte [idt_at(BP_) + 5], A_INT32
                expect  GP, BP_ * 8 + 2
                try     u32
                int3
                yrt
                check   "3A 6.12.1.1", "INTO through a gate of DPL 0 at CPL 3: #GP(vector, IDT)"
                mov     byte [idt_at(OF_) + 5], A_INT32
                mov     dword [run.eflags], 1 << 11
                expect  GP, OF_ * 8 + 2
                try     u32
                into
                yrt
                check   "3A 6.12.1.1", "an exception at CPL 3 passes a gate of DPL 0"
                mov     byte [idt_at(UD) + 5], A_INT32
                expect  UD, 0
                try     u32
                ud2
                yrt
                check   "2A INT", "ICEBP at CPL 3 passes a gate of DPL 0; it is a trap"
                mov     byte [idt_at(DB_) + 5], A_INT32
                expect  DB_, 0, .after_icebp
                try     u32
                db      0xF1
.after_icebp:
                yrt
                check   "3A 6.5", "INT3 is a trap"
                expect  BP_, 0, .after_int3
                try     u32
                int3
.after_int3:
                yrt
                check   "3A 6.5", "INTO with OF: a trap"
                mov     dword [run.eflags], 1 << 11
                expect  OF_, 0, .after_into
                try     u32
                into
.after_into:
                yrt
                check   "2A INT", "INTO without OF does nothing"
                try     u32
                into
                yrt
                check   "2A BOUND", "BOUND out of range: a fault"
                mov     dword [SCRATCH], 10
                mov     dword [SCRATCH + 4], 20
                mov     eax, 21
                mov     ebx, SCRATCH
                expect  BR, 0
                try     u32
                bound   eax, [ebx]
                yrt
                check   "2A BOUND", "BOUND in range, signed"
                mov     dword [SCRATCH], -10
                mov     dword [SCRATCH + 4], 20
                mov     eax, -10
                mov     ebx, SCRATCH
                try     u32
                bound   eax, [ebx]
                yrt
                check   "2A DIV", "#DE is a fault"
                mov     eax, 5
                expect  DE, 0
                try     u32
                div     ecx
                yrt
                check   "2A IDIV", "quotient too large: #DE"
                mov     eax, 0x80000000
                mov     edx, -1
                mov     ecx, -1
                expect  DE, 0
                try     u32
                idiv    ecx
                yrt
                check   "3A 6.12.1.2", "a software INT 13 pushes no error code"
                set_gate idt_at(GP), KCODE, .int13, A_INT32 | A_DPL3, 0
                expect  ANY
                try     u32
                int     GP
.int13:         mov     eax, esp
                mov     ecx, [esp]
                int     OK
                yrt
                is      [after + regs.eax], KSTACK - 20
                is      [after + regs.ecx], .int13

                subject "inner stacks"
%macro bad_stack 6                              ; section, text, SS0, vector, error, preparation
                check   %1, %2
                mov     dword [tss_main + tss.ss0], %3
                %6
                set_gate idt_at(0x80), KCODE, gate_end, A_INT32 | A_DPL3, 0
                set_gate idt_at(DF_), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(TS), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(NP), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(SS_), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(GP), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(%4), CODE1 & ~3, gate_ring1, A_INT32, 0
                expect  ANY
                try     u32
                int     0x80
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eip], gate_ring1_end + 2
                is      [after + regs.eax], %5
%endmacro
; The faulty SS0 cannot take the report: the handler runs at CPL 1.
                bad_stack "3A 7.3 table 6-6", "null SS0: #TS(0)", 0, TS, 0, {}
                bad_stack "3A 6.13", "SS0 beyond the GDT: #TS(selector)", BEYOND, TS, BEYOND, {}
                bad_stack "2A INT", "SS0 with RPL 3: #TS(selector)", KDATA | 3, TS, KDATA, {}
                bad_stack "2A INT", "SS0 of DPL 3: #TS(selector)", UDATA, TS, UDATA & ~3, {}
                bad_stack "2A INT", "SS0 is code: #TS(selector)", KCODE, TS, KCODE, {}
                bad_stack "2A INT", "SS0 is read-only: #TS(selector)", T0, TS, T0, {descriptor T0, 0, 0xFFFFF, A_RODATA, D_FLAT}
                bad_stack "2A INT", "SS0 is not present: #SS(selector)", T0, SS_, T0, {descriptor T0, 0, 0xFFFFF, A_DATA - NOT_PRESENT, D_FLAT}
                bad_stack "2A INT", "no room on the inner stack: #SS(selector)", T0, SS_, T0, {descriptor T0, KSTACK, 0xFFFFF, A_DOWN, D_BIG}

                check   "2A INT", "a TSS too short for SS1: #TS(TSS)"
                descriptor TSS_B, tss_main, 0x10, A_TSS32, 0
                mov     ax, TSS_B
                ltr     ax
                set_gate idt_at(0x80), CODE1 & ~3, gate_ring1, A_INT32 | A_DPL3, 0
                expect  TS, TSS_B
                try     u32
                int     0x80
                yrt
                check   "2A INT", "a TSS that ends with SS1 is long enough for it"
                descriptor TSS_B, tss_main, 0x11, A_TSS32, 0
                mov     ax, TSS_B
                ltr     ax
                set_gate idt_at(0x80), CODE1 & ~3, gate_ring1, A_INT32 | A_DPL3, 0
                expect  ANY
                try     u32
                int     0x80
                yrt
                is      [after + regs.esp], STACK1 - 20

                subject "privilege of handlers"
                check   "3A 6.12.1.1", "a conforming handler runs at the interrupted CPL on its stack"
                descriptor T0, 0, 0xFFFFF, A_CONF, D_FLAT
                set_gate idt_at(0x80), T0 | 3, .conforming, A_INT32 | A_DPL3, 0
                try     u32
                int     0x80
.conforming:    mov     eax, cs
                mov     ebx, esp
                add     esp, 12
                jmp     UCODE:.conforming_end
.conforming_end:
                yrt
                is      [after + regs.eax], T0 | 3
                is      [after + regs.ebx], USTACK - 12
                check   "3A 6.12.1", "a handler of CPL 1 from CPL 3: stack 1"
                set_gate idt_at(0x80), CODE1 & ~3, gate_ring1, A_INT32 | A_DPL3, 0
                expect  ANY
                try     u32
                int     0x80
                yrt
                is      [after + regs.esp], STACK1 - 20
                is      [after + regs.cs], CODE1
                is      [after + regs.ss], DATA1
                check   "3A 5.8.5", "from CPL 3 the frame is SS ESP EFLAGS CS EIP"
                set_gate idt_at(0x80), CODE1 & ~3, gate_ring1, A_INT32 | A_DPL3, 0
                expect  ANY
                try     u32
                int     0x80
.frame_ret:
                yrt
                is      [STACK1 - 20], .frame_ret
                is      [STACK1 - 16], UCODE
                is      [STACK1 - 8], USTACK
                is      [STACK1 - 4], UDATA

                subject "call gates"
                check   "3A 5.8.3", "a call gate to the same level"
                set_gate gdt_at(T0), KCODE, .call_same, A_CALL32, 0
                try     k32
                mov     ebx, esp
                call    T0:0xDEAD
.call_same_ret: nop
.call_same:     pop     eax
                pop     ecx
                sub     ebx, esp
                yrt
                is      [after + regs.eax], .call_same_ret
                is      [after + regs.ecx], KCODE
                is      [after + regs.ebx], 0

                check   "3A 5.8.5", "a call gate to CPL 0 copies its parameters; RET n releases both stacks"
                set_gate gdt_at(T0), KCODE, .call_inner, A_CALL32 | A_DPL3, 2
                try     u32
                push    dword 0x1111
                push    dword 0x2222
                call    T0 | 3:0
                mov     edi, esp
                jmp     short .call_inner_end
.call_inner:    mov     eax, [esp + 8]
                mov     ecx, [esp + 12]
                mov     edx, [esp + 16]
                mov     ebx, [esp + 20]
                mov     esi, esp
                retf    8
.call_inner_end:
                yrt
                is      [after + regs.eax], 0x2222
                is      [after + regs.ecx], 0x1111
                is      [after + regs.edx], USTACK - 8
                is      [after + regs.ebx], UDATA
                is      [after + regs.esi], KSTACK - 24
                is      [after + regs.edi], USTACK
                is      [after + regs.cs], UCODE

                check   "3A 5.8.5", "a 16-bit call gate copies words"
                set_gate gdt_at(T0), CODE16, .call16 - BASE, A_CALL16 | A_DPL3, 1
                expect  ANY
                try     u32
                push    dword 0x33334444
                call    T0 | 3:0
.call16_back:   jmp     short .call16_end
                low
.call16:        mov     ecx, [esp]
                movzx   ebx, word [esp + 4]
                mov     esi, esp
                int     OK
                high
.call16_end:
                yrt
                mov     eax, .call16_back
                and     eax, 0xFFFF
                add     eax, (UCODE << 16)
                is      [after + regs.ecx], eax
                is      [after + regs.ebx], 0x4444
                is      [after + regs.esi], KSTACK - 10

                gate_call "3A 5.8.4", "call gate of DPL 0 at CPL 3: #GP(gate)", u32, A_CALL32, GP, T0
                gate_call "3A 5.8.4", "call gate of DPL 0 with RPL 3 at CPL 0: #GP(gate)", k32, A_CALL32, GP, T0
                gate_call "2A CALL", "call gate not present: #NP(gate)", u32, (A_CALL32 | A_DPL3) - NOT_PRESENT, NP, T0
                gate_call "2A CALL", "call gate of DPL 0 not present: privilege first", u32, A_CALL32 - NOT_PRESENT, GP, T0
                gate_call "2A CALL", "far call to an interrupt gate: #GP(selector)", u32, A_INT32 | A_DPL3, GP, T0
                gate_call "2A CALL", "far call to an LDT: #GP(selector)", u32, A_LDT | A_DPL3, GP, T0
%macro gate_target 6                            ; section, text, context, code selector, vector, error
                check   %1, %2
                set_gate gdt_at(T0), %4, gate_end, A_CALL32 | A_DPL3, 0
                expect  %5, %6
                try     %3
                call    T0 | 3:0
                yrt
%endmacro
                gate_target "2A CALL", "a call gate's null code selector: #GP(0)", u32, 0, GP, 0
                gate_target "2A CALL", "a call gate to beyond the GDT: #GP(selector)", u32, BEYOND, GP, BEYOND
                gate_target "2A CALL", "a call gate to data: #GP(selector)", u32, UDATA, GP, UDATA & ~3
                gate_target "2A CALL", "a call gate to an outer level: #GP(selector)", r1, UCODE, GP, UCODE & ~3
                check   "2A CALL", "a call gate to code that is not present: #NP(selector)"
                descriptor T1, 0, 0xFFFFF, A_CODE - NOT_PRESENT, D_FLAT
                set_gate gdt_at(T0), T1, gate_end, A_CALL32 | A_DPL3, 0
                expect  NP, T1
                try     u32
                call    T0 | 3:0
                yrt
                check   "2A JMP", "JMP through a call gate to an inner level: #GP(selector)"
                set_gate gdt_at(T0), KCODE, gate_end, A_CALL32 | A_DPL3, 0
                expect  GP, KCODE
                try     u32
                jmp     T0 | 3:0
                yrt
                check   "2A JMP", "JMP through a call gate to conforming code of an inner level keeps CPL"
                descriptor T1, 0, 0xFFFFF, A_CONF, D_FLAT
                set_gate gdt_at(T0), T1, .jmp_conf, A_CALL32 | A_DPL3, 0
                try     u32
                jmp     T0 | 3:0
.jmp_conf:      mov     eax, cs
                yrt
                is      [after + regs.eax], T1 | 3
                check   "2A CALL", "a call gate's offset is beyond the segment: #GP(0)"
                descriptor T1, 0, 0xFF, A_CODE | A_DPL3, D_BIG
                set_gate gdt_at(T0), T1, gate_end, A_CALL32 | A_DPL3, 0
                expect  GP, 0
                try     u32
                call    T0 | 3:0
                yrt
                check   "2A CALL", "no room for the frame on the inner stack: #SS(selector), nothing pushed"
                set_gate gdt_at(T0), KCODE, gate_end, A_CALL32 | A_DPL3, 0
                descriptor T1, KSTACK, 0xFFFFF, A_DOWN, D_BIG
                mov     dword [tss_main + tss.ss0], T1
                set_gate idt_at(TS), CODE1 & ~3, gate_ring1_other, A_INT32, 0
                set_gate idt_at(SS_), CODE1 & ~3, gate_ring1, A_INT32, 0
                expect  ANY
                try     u32
.no_room:       call    T0 | 3:0
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eax], T1
                is      [STACK1 - 20], .no_room
                is      [STACK1 - 8], USTACK

                subject "far transfers"
%macro far_check 7                              ; section, text, context, access byte, instruction, vector, error
                check   %1, %2
                descriptor T0, 0, 0xFFFFF, %4, D_FLAT
                expect  %6, %7
                try     %3
                %5
                yrt
%endmacro
                far_check "2A JMP", "JMP to the null selector: #GP(0)", k32, A_CODE, {jmp 0:0}, GP, 0
                far_check "2A CALL", "CALL to the null selector: #GP(0)", k32, A_CODE, {call 3:0}, GP, 0
                far_check "2A JMP", "JMP beyond the GDT: #GP(selector)", k32, A_CODE, {jmp BEYOND:0}, GP, BEYOND
                far_check "2A JMP", "JMP to data: #GP(selector)", k32, A_DATA, {jmp T0:0}, GP, T0
                far_check "2A JMP", "JMP to code that is not present: #NP(selector)", k32, A_CODE - NOT_PRESENT, {jmp T0:0}, NP, T0
                far_check "3A 5.8.1.1", "JMP with RPL above CPL: #GP(selector)", k32, A_CODE, {jmp T0 | 3:0}, GP, T0
                far_check "3A 5.8.1.1", "JMP to an inner level: #GP(selector)", u32, A_CODE, {jmp T0:0}, GP, T0
                far_check "3A 5.8.1.1", "JMP to an outer level: #GP(selector)", k32, A_CODE | A_DPL3, {jmp T0:0}, GP, T0
                far_check "3A 5.8.1.1", "wrong level and not present: privilege first", u32, A_CODE - NOT_PRESENT, {jmp T0:0}, GP, T0
                far_check "3A 5.8.1.2", "CALL to conforming code of an outer level: #GP(selector)", k32, A_CONF | A_DPL3, {call T0:0}, GP, T0
                check   "3A 5.8.1.2", "JMP to conforming code of an inner level keeps CPL"
                descriptor T0, 0, 0xFFFFF, A_CONF, D_FLAT
                try     u32
                jmp     T0:.conf
.conf:          mov     eax, cs
                yrt
                is      [after + regs.eax], T0 | 3
                check   "2A JMP", "JMP beyond the new segment's limit: #GP(0), the accessed bit may be set, CS is not"
                descriptor T0, 0, 0xFFF, A_CODE, D_BIG
                expect  GP, 0
                try     k32
                jmp     T0:gate_end
                yrt
                is      [after + regs.cs], KCODE
                check   "2A JMP", "JMP sets the accessed bit of the code segment"
                descriptor T0, 0, 0xFFFFF, A_CODE & ~1, D_FLAT
                try     k32
                jmp     T0:.accessed
.accessed:      jmp     KCODE:.accessed_end
.accessed_end:
                yrt
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_CODE
                check   "2B RET", "RETF to an inner level: #GP(selector)"
                mov     eax, CODE1
                mov     ebx, esp
                expect  GP, CODE1 & ~3, .ret_inner
                try     u32
                push    eax
                push    eax
.ret_inner:     retf
                yrt
                is      [after + regs.esp], USTACK - 8
                check   "2B RET", "RETF to the null selector: #GP(0)"
                expect  GP, 0, .ret_null
                try     u32
                push    dword 3
                push    dword 0
.ret_null:      retf
                yrt
                check   "2B RET", "RETF whose RPL differs from the code's DPL: #GP(selector)"
                expect  GP, KCODE, .ret_rpl
                try     k32
                push    dword KCODE | 3
                push    dword 0
.ret_rpl:       retf
                yrt
                add     dword [after + regs.esp], 8
                check   "2B RET", "RETF to conforming code with RPL above DPL goes to RPL"
                descriptor T0, 0, 0xFFFFF, A_CONF, D_FLAT
                try     k32
                push    dword UDATA
                push    dword USTACK
                push    dword T0 | 3
                push    dword .ret_conf
                retf
.ret_conf:      mov     eax, cs
                mov     ebx, ss
                mov     ecx, esp
                yrt
                is      [after + regs.eax], T0 | 3
                is      [after + regs.ebx], UDATA
                is      [after + regs.ecx], USTACK
                check   "2B RET", "RETF to an outer level nulls data segments it may not see"
                descriptor T0, 0, 0xFFFFF, A_CONF, D_FLAT
                try     k32
                mov     ax, UDATA
                mov     es, ax
                mov     ax, T0
                mov     fs, ax
                push    dword UDATA
                push    dword USTACK
                push    dword UCODE
                push    dword .ret_drop
                retf
.ret_drop:      mov     eax, ds
                mov     ebx, es
                mov     ecx, fs
                mov     edx, gs
                yrt
                is      [after + regs.eax], 0
                is      [after + regs.ebx], UDATA
                is      [after + regs.ecx], T0
                is      [after + regs.edx], 0
%macro ret_stack 5                              ; section, text, SS, vector, error
                check   %1, %2
                descriptor T0, 0, 0xFFFFF, (A_DATA | A_DPL3) - NOT_PRESENT, D_FLAT
                descriptor T1, 0, 0xFFFFF, A_RODATA | A_DPL3, D_FLAT
                expect  %4, %5, .ret_at
                mov     eax, %3
                try     k32
                push    eax
                push    dword USTACK
                push    dword UCODE
                push    dword 0
.ret_at:        retf
                yrt
%endmacro
                ret_stack "2B RET", "RETF to CPL 3 with a null SS: #GP(0)", 0, GP, 0
                ret_stack "2B RET", "RETF to CPL 3 with SS of RPL 0: #GP(selector)", UDATA & ~3, GP, UDATA & ~3
                ret_stack "2B RET", "RETF to CPL 3 with SS of DPL 0: #GP(selector)", KDATA | 3, GP, KDATA
                ret_stack "2B RET", "RETF to CPL 3 with read-only SS: #GP(selector)", T1 | 3, GP, T1
                ret_stack "2B RET", "RETF to CPL 3 with SS not present: #SS(selector)", T0 | 3, SS_, T0
                ret_stack "2B RET", "RETF to CPL 3 with SS beyond the GDT: #GP(selector)", BEYOND | 3, GP, BEYOND
                ret

; A handler at CPL 1 for faults that the stack of level 0 cannot take. Its stack: error code, EIP, CS...
gate_ring1_other:
                mov     dword [esp], -1         ; the wrong vector
gate_ring1:     mov     eax, UDATA
                mov     ds, ax
                mov     eax, [esp]
                mov     dword [tss_main + tss.ss0], KDATA
gate_ring1_end: int     OK
