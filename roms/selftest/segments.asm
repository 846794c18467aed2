; Loading segment registers, and what loaded ones allow (SDM 3A 3.4, 5.2-5.7; 2B MOV, LAR, LSL, VERR).

; Loading selector %2 into register %3 raises %4 with error code %5: bad_load TEXT, selector, register, vector, error.
%macro bad_load 6
                check   %1, %2
                mov     eax, %3
                expect  %5, %6
                try     k32
                mov     %4, ax
                yrt
%endmacro

; Checks that set up T0 first: base, limit, access byte, flags.
%macro with_t0 6
                check   %1, %2
                descriptor T0, %3, %4, %5, %6
%endmacro

segments:       subject "segments"
                check   "3A 3.4.2", "null selectors 0 to 3 can be loaded into DS, ES, FS, GS"
                mov     eax, 3
                try     k32
                mov     ds, ax
                dec     eax
                mov     es, ax
                dec     eax
                mov     fs, ax
                dec     eax
                mov     gs, ax
                yrt
                is      [after + regs.ds], 3
                is      [after + regs.es], 2
                is      [after + regs.fs], 1
                is      [after + regs.gs], 0

                check   "3A 3.4.2", "access through a null DS: #GP(0)"
                expect  GP, 0, .null_ds
                try     k32
                xor     eax, eax
                mov     ds, ax
.null_ds:       mov     eax, [0x1000]
                yrt
                is      [after + regs.eax], 0
                bad_load "2B MOV", "null selector into SS: #GP(0)", 0, ss, GP, 0
                bad_load "2B MOV", "null selector with RPL 3 into SS: #GP(0)", 3, ss, GP, 0
                bad_load "3A 5.3.1", "selector beyond the GDT into DS: #GP(selector)", BEYOND, ds, GP, BEYOND
                bad_load "3A 5.3.1", "selector beyond the GDT into SS: #GP(selector)", BEYOND, ss, GP, BEYOND
                bad_load "3A 6.13", "the error code does not hold the RPL", BEYOND | 3, ds, GP, BEYOND
                bad_load "3A 5.3.1", "selector beyond the LDT into ES: #GP(selector with TI)", 0x24, es, GP, 0x24

                check   "3A 5.3.1", "the GDT's limit cuts a descriptor: #GP(selector)"
                sub     word [gdtr], 1
                lgdt    [gdtr]
                add     word [gdtr], 1
                mov     eax, BEYOND - 8
                expect  GP, BEYOND - 8
                try     k32
                mov     ds, ax
                yrt

                check   "3A 3.5.1", "a selector of the LDT when LDTR is null: #GP(selector)"
                xor     eax, eax
                lldt    ax
                mov     al, 4
                expect  GP, 4
                try     k32
                mov     fs, ax
                yrt

                check   "3A 3.5.1", "a segment of the LDT"
                mov     eax, LDT0
                try     k32
                mov     fs, ax
                mov     ebx, [fs:gdt + 8]
                yrt
                is      [after + regs.fs], LDT0
                is      [after + regs.ebx], 0x0000FFFF

                bad_load "3A 5.5", "a TSS's selector into DS: #GP(selector)", TSS_B, ds, GP, TSS_B
                bad_load "3A 5.5", "an LDT's selector into SS: #GP(selector)", LDT, ss, GP, LDT

                with_t0 "3A 5.5", "execute-only code into DS: #GP(selector)", 0, 0xFFFFF, A_XCODE, D_FLAT
                mov     eax, T0
                expect  GP, T0
                try     k32
                mov     ds, ax
                yrt
                with_t0 "3A 5.5", "readable code into DS", 0, 0xFFFFF, A_CODE, D_FLAT
                mov     eax, T0
                try     k32
                mov     ds, ax
                mov     ebx, [gdt + 8]
                yrt
                is      [after + regs.ebx], 0x0000FFFF
                with_t0 "3A 5.5", "readable code into SS: #GP(selector)", 0, 0xFFFFF, A_CODE, D_FLAT
                mov     eax, T0
                expect  GP, T0
                try     k32
                mov     ss, ax
                yrt
                with_t0 "3A 5.5", "read-only data into SS: #GP(selector)", 0, 0xFFFFF, A_RODATA, D_FLAT
                mov     eax, T0
                expect  GP, T0
                try     k32
                mov     ss, ax
                yrt
                with_t0 "3A 5.5", "type 0 into ES: #GP(selector)", 0, 0xFFFFF, 0x80, D_FLAT
                mov     eax, T0
                expect  GP, T0
                try     k32
                mov     es, ax
                yrt
                with_t0 "2B MOV", "data not present into DS: #NP(selector)", 0, 0xFFFFF, A_DATA - NOT_PRESENT, D_FLAT
                mov     eax, T0
                expect  NP, T0
                try     k32
                mov     ds, ax
                yrt
                with_t0 "2B MOV", "data not present into SS: #SS(selector)", 0, 0xFFFFF, A_DATA - NOT_PRESENT, D_FLAT
                mov     eax, T0
                expect  SS_, T0
                try     k32
                mov     ss, ax
                yrt
                with_t0 "2B MOV", "wrong type and not present: the type is checked first", 0, 0xFFFFF, A_RODATA - NOT_PRESENT, D_FLAT
                mov     eax, T0
                expect  GP, T0
                try     k32
                mov     ss, ax
                yrt

                ; privilege
                bad_load "3A 5.6", "RPL 3 above DPL 0 into DS: #GP(selector)", KDATA | 3, ds, GP, KDATA
                bad_load "3A 5.7", "RPL 3 into SS at CPL 0: #GP(selector)", KDATA | 3, ss, GP, KDATA
                bad_load "3A 5.7", "DPL 3 into SS at CPL 0: #GP(selector)", UDATA & ~3, ss, GP, UDATA & ~3
                bad_load "3A 5.7", "DPL 3, RPL 3 into SS at CPL 0: #GP(selector)", UDATA, ss, GP, UDATA & ~3

                check   "3A 5.6", "DPL 3 data into DS at CPL 0"
                mov     eax, UDATA & ~3
                try     k32
                mov     ds, ax
                yrt
                is      [after + regs.ds], UDATA & ~3
                check   "3A 5.6", "DPL 0 data into DS at CPL 3: #GP(selector)"
                mov     eax, KDATA
                expect  GP, KDATA
                try     u32
                mov     ds, ax
                yrt
                check   "3A 5.6", "DPL 1 data into ES at CPL 2: #GP(selector)"
                mov     eax, DATA1 & ~3
                expect  GP, DATA1 & ~3
                try     r2
                mov     es, ax
                yrt
                check   "3A 5.6", "DPL 2 data with RPL 0 into ES at CPL 1"
                mov     eax, DATA2 & ~3
                try     r1
                mov     es, ax
                yrt
                is      [after + regs.es], DATA2 & ~3
                check   "3A 5.6", "DPL 1 data with RPL 2 into ES at CPL 1: #GP(selector)"
                mov     eax, DATA1 | 2
                and     al, ~1
                expect  GP, DATA1 & ~3
                try     r1
                mov     es, ax
                yrt
                check   "3A 5.7", "RPL 0 into SS at CPL 3: #GP(selector)"
                mov     eax, UDATA & ~3
                expect  GP, UDATA & ~3
                try     u32
                mov     ss, ax
                yrt
                with_t0 "3A 5.6", "conforming readable code of DPL 0 into DS at CPL 3", 0, 0xFFFFF, A_CONF, D_FLAT
                mov     eax, T0 | 3
                try     u32
                mov     ds, ax
                mov     ebx, [gdt + 8]
                yrt
                is      [after + regs.ebx], 0x0000FFFF
                with_t0 "3A 5.6.1", "nonconforming code of DPL 0 into DS at CPL 3: #GP(selector)", 0, 0xFFFFF, A_CODE, D_FLAT
                mov     eax, T0 | 3
                expect  GP, T0
                try     u32
                mov     ds, ax
                yrt

                ; the accessed bit
                with_t0 "3A 3.4.5.1", "loading sets the accessed bit", 0, 0xFFFFF, A_DATA & ~1, D_FLAT
                mov     eax, T0
                try     k32
                mov     ds, ax
                yrt
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_DATA
                with_t0 "3A 3.4.5.1", "a load that fails leaves the accessed bit", 0, 0xFFFFF, (A_DATA & ~1) - NOT_PRESENT, D_FLAT
                mov     eax, T0
                expect  NP, T0
                try     k32
                mov     ds, ax
                yrt
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, (A_DATA & ~1) - NOT_PRESENT
                with_t0 "2B VERR", "VERR leaves the accessed bit", 0, 0xFFFFF, A_DATA & ~1, D_FLAT
                mov     eax, T0
                try     k32
                verr    ax
                yrt
                flags   FL_ZF, FL_ZF
                movzx   eax, byte [gdt_at(T0) + 5]
                is      eax, A_DATA & ~1

                ; other instructions
                check   "2B MOV", "MOV to CS: #UD"
                mov     eax, KCODE
                expect  UD
                try     k32
                db      0x8E, 0xC8
                yrt
                check   "2B MOV", "MOV to segment register 6: #UD"
                expect  UD
                try     k32
                db      0x8E, 0xF0
                yrt
                check   "2B MOV", "MOV from segment register 7: #UD"
                expect  UD
                try     k32
                db      0x8C, 0xF8
                yrt
                check   "2A LDS", "LDS whose segment load faults keeps the register"
                mov     dword [SCRATCH], 0x12345678
                mov     word [SCRATCH + 4], BEYOND
                mov     ebx, SCRATCH
                expect  GP, BEYOND
                try     k32
                lds     eax, [ebx]
                yrt
                check   "2A LDS", "LES with a register operand: #UD"
                expect  UD
                try     k32
                db      0xC4, 0xC0
                yrt
                check   "2A LSS", "LSS loads both"
                mov     dword [SCRATCH], MAIN_STACK - 0x800
                mov     word [SCRATCH + 4], LDT0
                mov     ebx, SCRATCH
                try     k32
                lss     esp, [ebx]
                yrt
                is      [after + regs.ss], LDT0
                is      [after + regs.esp], MAIN_STACK - 0x800
                check   "2B POP", "POP DS that faults keeps ESP"
                mov     dword [USTACK], BEYOND
                expect  GP, BEYOND
                try     u32
                pop     ds
                yrt

                ; use of loaded segments
                with_t0 "3A 5.5", "write to read-only data: #GP(0)", 0, 0xFFFFF, A_RODATA, D_FLAT
                mov     eax, T0
                expect  GP, 0, .read_only
                try     k32
                mov     fs, ax
.read_only:     mov     [fs:SCRATCH], eax
                yrt
                with_t0 "3A 5.5", "the test is made before any read: ADD to read-only data", 0, 0xFFFFF, A_RODATA, D_FLAT
                mov     eax, T0
                expect  GP, 0, .read_only2
                try     k32
                mov     fs, ax
.read_only2:    add     [fs:SCRATCH], eax
                yrt
                check   "3A 5.5", "write through CS: #GP(0)"
                expect  GP, 0
                try     k32
                mov     [cs:SCRATCH], eax
                yrt
                check   "3A 5.5", "read through readable CS"
                mov     dword [SCRATCH], 0xCAFE
                try     k32
                mov     eax, [cs:SCRATCH]
                yrt
                is      [after + regs.eax], 0xCAFE
                with_t0 "3A 5.5", "read through execute-only CS: #GP(0)", 0, 0xFFFFF, A_XCODE, D_FLAT
                expect  GP, 0, .execute_only
                try     k32
                jmp     T0:.execute_only
.execute_only:  mov     eax, [cs:SCRATCH]
                yrt

                ; limits
                with_t0 "3A 5.3", "the last byte of a segment is in it", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                try     k32
                mov     fs, ax
                mov     al, [fs:0xFFF]
                mov     ax, [fs:0xFFE]
                mov     eax, [fs:0xFFC]
                yrt
%assign k 0
%rep 3
                with_t0 "3A 5.3", "a dword across the limit: #GP(0)", SCRATCH, 0xFFC + k, A_DATA, D_BIG
                expect  GP, 0, .over
                mov     eax, T0
                try     k32
                mov     fs, ax
.over:          mov     ebx, [fs:0xFFC]
                yrt
%assign k k + 1
%endrep
                with_t0 "3A 5.3", "a byte beyond the limit: #GP(0)", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                expect  GP, 0, .over_byte
                try     k32
                mov     fs, ax
.over_byte:     mov     bl, [fs:0x1000]
                yrt
                with_t0 "3A 5.3", "an operand that wraps past FFFFFFFF: #GP(0)", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                expect  GP, 0, .over_wrap
                try     k32
                mov     fs, ax
.over_wrap:     mov     bx, [fs:0xFFFFFFFF]
                yrt
                with_t0 "3A 5.3", "beyond SS's limit: #SS(0)", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                expect  SS_, 0, .over_stack
                try     k32
                mov     ecx, esp
                mov     ss, ax
                mov     esp, 0x1000
.over_stack:    mov     bl, [esp]
                yrt
                with_t0 "3A 5.3", "beyond the limit through EBP, SS by default: #SS(0)", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                expect  SS_, 0, .over_stack2
                try     k32
                mov     ss, ax
                mov     esp, 0x800
                mov     ebp, 0x1000
.over_stack2:   mov     bl, [ebp]
                yrt
                with_t0 "3A 5.3", "a push below a stack segment's start: #SS(0)", SCRATCH, 0xFFF, A_DATA, D_BIG
                mov     eax, T0
                mov     dword [idt_at(SS_)], 0  ; delivered by a task: there is no stack
                set_gate idt_at(SS_), TSS_B, 0, A_TASKGATE, 0
                mov     dword [tss_b + tss.eip], .stack_task
                try     k32
                mov     ebp, esp
                mov     ss, ax
                mov     esp, 2
.push_below:    push    eax
.stack_task:    mov     ebx, [tss_main + tss.eip]
                mov     ecx, [tss_main + tss.esp]
                pop     edx
                mov     ax, TSS_MAIN            ; back to the main task's register
                mov     byte [gdt_at(TSS_MAIN) + 5], A_TSS32
                ltr     ax
                clts
                push    dword 2
                popfd
                yrt
                is      [after + regs.ebx], .push_below
                is      [after + regs.ecx], 2
                is      [after + regs.edx], 0

                with_t0 "3A 5.3", "G = 1: the limit counts 4K pages", SCRATCH, 0, A_DATA, D_FLAT
                mov     eax, T0
                expect  GP, 0, .over_g
                try     k32
                mov     fs, ax
                mov     ebx, [fs:0xFFC]
.over_g:        mov     ebx, [fs:0xFFD]
                yrt

                ; expand-down
                with_t0 "3A 5.3", "expand-down: offsets above the limit", SCRATCH - 0x8000, 0x7FFF, A_DOWN, D_BIG
                mov     eax, T0
                mov     dword [SCRATCH], 0xD0D0
                try     k32
                mov     fs, ax
                mov     ebx, [fs:0x8000]
                yrt
                is      [after + regs.ebx], 0xD0D0
                with_t0 "3A 5.3", "expand-down: the limit itself is outside: #GP(0)", SCRATCH - 0x8000, 0x7FFF, A_DOWN, D_BIG
                mov     eax, T0
                expect  GP, 0, .down1
                try     k32
                mov     fs, ax
.down1:         mov     bl, [fs:0x7FFF]
                yrt
                with_t0 "3A 5.3", "expand-down: an operand that begins below: #GP(0)", SCRATCH - 0x8000, 0x7FFF, A_DOWN, D_BIG
                mov     eax, T0
                expect  GP, 0, .down2
                try     k32
                mov     fs, ax
.down2:         mov     ebx, [fs:0x7FFD]
                yrt
                with_t0 "3A 5.3", "expand-down with B = 0 ends at FFFF: #GP(0)", SCRATCH - 0x8000, 0x7FFF, A_DOWN, 0
                mov     eax, T0
                expect  GP, 0, .down3
                try     k32
                mov     fs, ax
                mov     ebx, [fs:0xFFFC]
.down3:         mov     ebx, [fs:0xFFFD]
                yrt
                with_t0 "3A 5.3", "expand-down with B = 1 ends at FFFFFFFF", 0x80000, 0x0FFF, A_DOWN, D_BIG
                mov     eax, T0
                mov     dword [SCRATCH], 0xD1D1
                try     k32
                mov     fs, ax
                mov     ebx, [fs:SCRATCH - 0x80000]
                yrt
                is      [after + regs.ebx], 0xD1D1
                with_t0 "3A 5.3", "expand-down with B = 1: no wrap past FFFFFFFF: #GP(0)", 0x80000, 0x0FFF, A_DOWN, D_BIG
                mov     eax, T0
                expect  GP, 0, .down4
                try     k32
                mov     fs, ax
.down4:         mov     ebx, [fs:0xFFFFFFFD]
                yrt

                ; system registers
%macro bad_ltr 6                                ; section, text, instruction, selector, vector, error
                check   %1, %2
                mov     eax, %4
                expect  %5, %6
                try     k32
                %3      ax
                yrt
%endmacro
                bad_ltr "2A LLDT", "LLDT of data: #GP(selector)", lldt, KDATA, GP, KDATA
                bad_ltr "2A LLDT", "LLDT of a TSS: #GP(selector)", lldt, TSS_B, GP, TSS_B
                bad_ltr "2A LLDT", "LLDT from the LDT: #GP(selector)", lldt, LDT0, GP, LDT0
                bad_ltr "2A LLDT", "LLDT beyond the GDT: #GP(selector)", lldt, BEYOND, GP, BEYOND
                with_t0 "2A LLDT", "LLDT not present: #NP(selector)", ldt, 31, A_LDT - NOT_PRESENT, 0
                mov     eax, T0
                expect  NP, T0
                try     k32
                lldt    ax
                yrt
                check   "2A LLDT", "LLDT of the null selector makes LDTR unusable"
                try     k32
                lldt    ax
                sldt    ebx
                mov     ecx, LDT0
                lar     edx, cx
                yrt
                is      [after + regs.ebx], 0
                flags   FL_ZF, 0
                bad_ltr "2A LTR", "LTR of the null selector: #GP(0)", ltr, 0, GP, 0
                bad_ltr "2A LTR", "LTR of a busy TSS: #GP(selector)", ltr, TSS_MAIN, GP, TSS_MAIN
                bad_ltr "2A LTR", "LTR of an LDT: #GP(selector)", ltr, LDT, GP, LDT
                bad_ltr "2A LTR", "LTR from the LDT: #GP(selector)", ltr, LDT0, GP, LDT0
                with_t0 "2A LTR", "LTR not present: #NP(selector)", tss_b, 0x67, A_TSS32 - NOT_PRESENT, 0
                mov     eax, T0
                expect  NP, T0
                try     k32
                ltr     ax
                yrt
                check   "2A LTR", "LTR marks the TSS busy"
                mov     eax, TSS_B
                try     k32
                ltr     ax
                str     ebx
                yrt
                is      [after + regs.ebx], TSS_B
                movzx   eax, byte [gdt_at(TSS_B) + 5]
                is      eax, A_TSS32 | 2

                ; queries
%macro query 6                                  ; section, text, access byte, selector bits, instruction, ZF
                check   %1, %2
                descriptor T0, 0x1000, 0x12345, %3, 0x4
                mov     ecx, T0 | %4
                mov     eax, 0x77
                try     k32
                %5
                yrt
                flags   FL_ZF, (%6) * FL_ZF
%endmacro
%assign type 0
%rep 16
                check   "2A LAR table 3-50", "LAR and LSL of each system type"
                descriptor T0, 0x1000, 0x12345, 0x80 + type, 0
                mov     ecx, T0
                mov     eax, 0x77
                mov     edx, 0x77
                try     k32
                lar     eax, cx
                setz    bl
                lsl     edx, cx
                setz    bh
                yrt
%if (0x1A3E >> type) & 1
                and     dword [after + regs.eax], 0xFFF0FFFF ; bits 16-19 are undefined
                is      [after + regs.eax], 0x00008000 + (type << 8)
%else
                is      [after + regs.eax], 0x77
%endif
%if (0x0A0E >> type) & 1
                is      [after + regs.edx], 0x12345
%else
                is      [after + regs.edx], 0x77
%endif
                is      [after + regs.ebx], ((0x1A3E >> type) & 1) | (((0x0A0E >> type) & 1) << 8)
%assign type type + 1
%endrep
                check   "2A LAR", "LAR shows bytes 1 and 2 of the high dword: flags, no limit bits lost"
                descriptor T0, 0x12345678, 0xABCDE, A_DATA | A_DPL3, 0xD
                mov     ecx, T0
                try     k32
                lar     eax, cx
                lsl     edx, cx
                yrt
                mov     eax, [after + regs.eax]
                and     eax, 0xF0FF00           ; bits 16-19 are undefined
                is      eax, 0x00D0F300
                is      [after + regs.edx], 0xABCDEFFF
                query   "2A LAR", "LAR of a not present segment works", A_DATA - NOT_PRESENT, 0, {lar eax, cx}, 1
                query   "2A LAR", "LAR with RPL above DPL: ZF = 0", A_DATA, 3, {lar eax, cx}, 0
                query   "2A LAR", "LAR of conforming code: privilege is not checked", A_CONF, 3, {lar eax, cx}, 1
                query   "2A LSL", "LSL with RPL above DPL: ZF = 0", A_DATA, 3, {lsl eax, cx}, 0
                query   "2B VERR", "VERR of data: ZF = 1", A_DATA, 0, {verr cx}, 1
                query   "2B VERR", "VERR of execute-only code: ZF = 0", A_XCODE, 0, {verr cx}, 0
                query   "2B VERR", "VERR of conforming code with RPL 3: ZF = 1", A_CONF, 3, {verr cx}, 1
                query   "2B VERR", "VERR of a TSS: ZF = 0", A_TSS32, 0, {verr cx}, 0
                query   "2B VERW", "VERW of writable data: ZF = 1", A_DATA, 0, {verw cx}, 1
                query   "2B VERW", "VERW of read-only data: ZF = 0", A_RODATA, 0, {verw cx}, 0
                query   "2B VERW", "VERW of code: ZF = 0", A_CODE, 0, {verw cx}, 0
                check   "2B VERR", "VERR of the null selector: ZF = 0"
                xor     ecx, ecx
                try     k32
                verr    cx
                yrt
                flags   FL_ZF, 0
                check   "2A ARPL", "ARPL raises the RPL and sets ZF"
                mov     eax, 0x11110010
                mov     ecx, 3
                try     k32
                arpl    ax, cx
                yrt
                is      [after + regs.eax], 0x11110013
                flags   FL_ZF, FL_ZF
                check   "2A ARPL", "ARPL with a lower RPL leaves it and clears ZF"
                mov     eax, 0x11110013
                mov     ecx, 1
                try     k32
                arpl    ax, cx
                yrt
                is      [after + regs.eax], 0x11110013
                flags   FL_ZF, 0
                ret
