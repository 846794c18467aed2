; Debug registers and single step (SDM 3B 17.2, 17.3).

DR6_BD          equ     1 << 13
DR6_BS          equ     1 << 14
DR7_GD          equ     1 << 13

; DR6 and DR7 for a check: breakpoint 0 at %1, DR7 = %2.
%macro breakpoint 2
                mov     eax, %1
                mov     dr0, eax
                xor     eax, eax
                mov     dr6, eax
                mov     eax, %2
                mov     dr7, eax
                xor     eax, eax
%endmacro
; DR7 values for breakpoint 0.
EXEC0           equ     0x00000001
WRITE0_1        equ     0x00010001
WRITE0_4        equ     0x000D0001
IO0_1           equ     0x00020001
ACCESS0_1       equ     0x00030001
ACCESS0_2       equ     0x00070001
ACCESS0_4       equ     0x000F0001

; B0-B3, BD, BS, BT after the snippet; DR7 off.
%macro dr6_is 1
                mov     eax, dr6
                and     eax, 0xE00F
                is      eax, %1
                xor     eax, eax
                mov     dr7, eax
%endmacro

; A data breakpoint: text, DR0, DR7, instruction; hit or not.
%macro data_hit 4+
                check   "3B 17.2.5, 17.3.1.2", %1
                breakpoint %2, %3
                mov     ebx, SCRATCH
                expect  DB_, 0, .next
                try     u32
                %4
.next:          nop
                yrt
                dr6_is  1
%endmacro
%macro data_miss 4+
                check   "3B 17.2.5, 17.3.1.2", %1
                breakpoint %2, %3
                mov     ebx, SCRATCH
                try     u32
                %4
                nop
                yrt
                dr6_is  0
%endmacro

debug:          subject "debug registers"
                check   "3B 17.3.1.1", "an instruction breakpoint is a fault: before the instruction, RF clear in the image"
                breakpoint .exec, EXEC0
                expect  DB_, 0, .exec
                try     u32
                nop
.exec:          inc     ecx
                yrt
                is      [after + regs.ecx], 0
                flags   FL_RF, 0
                dr6_is  1
                check   "3B 17.3.1.1", "with RF it is not reported, and RF is cleared by the instruction"
                breakpoint .rf, EXEC0
                mov     dword [run.eflags], FL_RF
                try     u32
.rf:            inc     ecx
                yrt
                is      [after + regs.ecx], 1
                flags   FL_RF, 0
                dr6_is  0
                check   "3B 17.3.1.1", "RF lasts for one instruction only"
                breakpoint .second, EXEC0
                mov     dword [run.eflags], FL_RF
                expect  DB_, 0, .second
                try     u32
                nop
.second:        nop
                yrt
                dr6_is  1
                check   "3B 17.3.1.1", "the second byte of an instruction is no hit"
                breakpoint .inside + 1, EXEC0
                try     u32
.inside:        mov     eax, 0x90909090
                yrt
                dr6_is  0
                when    NOT_TCG                 ; (QEMU 7.2 crashes)
                check   "3B 17.3.1.1", "the address is linear: CS base counts"
                breakpoint .linear, EXEC0
                expect  DB_, 0, .linear
                try     u16
                nop
.linear:        nop
                yrt
                dr6_is  1
                end_when
                check   "3B 17.3.1.1", "at CPL 0"
                breakpoint .cpl0, EXEC0
                expect  DB_, 0, .cpl0
                try     k32
                nop
.cpl0:          nop
                yrt
                dr6_is  1
                check   "3B 17.2.4", "breakpoint 3, global"
                mov     eax, .global
                mov     dr3, eax
                breakpoint 0, 0x80
                expect  DB_, 0, .global
                try     u32
                nop
.global:        nop
                yrt
                dr6_is  8
                check   "3B 17.2.4", "disabled breakpoints are silent"
                breakpoint .disabled, 0
                try     u32
.disabled:      nop
                yrt
                is      [after + regs.vector], OK
                check   "3A 6.8.3", "a fault sets RF in the image: the breakpoint is not hit again"
                breakpoint .faulting, EXEC0
                mov     dword [run.eflags], FL_RF
                expect  UD, 0, .faulting
                try     u32
.faulting:      ud2
                yrt
                flags   FL_RF, FL_RF
                dr6_is  0
                check   "3A 6.8.3", "an instruction breakpoint comes before the instruction's own fault"
                breakpoint .both, EXEC0
                expect  DB_, 0, .both
                try     u32
                nop
.both:          ud2
                yrt
                dr6_is  1
                check   "3A 6.8.3", "INT n pushes RF as 0"
                mov     dword [run.eflags], FL_RF
                try     u32
                yrt
                flags   FL_RF, 0

                data_hit "a write, after the instruction", SCRATCH, WRITE0_1, mov [ebx], al
                data_hit "a read with R/W = 3", SCRATCH, ACCESS0_1, mov al, [ebx]
                data_hit "a write with R/W = 3", SCRATCH, ACCESS0_1, mov [ebx], al
                data_miss "a read with R/W = 1", SCRATCH, WRITE0_1, mov al, [ebx]
                data_hit "LEN 4: the last byte", SCRATCH, WRITE0_4, mov [ebx + 3], al
                data_miss "LEN 4: the byte behind", SCRATCH, WRITE0_4, mov [ebx + 4], al
                data_miss "LEN 4: the byte before", SCRATCH + 4, WRITE0_4, mov [ebx + 3], al
                data_hit "LEN 4: a dword that overlaps the end", SCRATCH, WRITE0_4, mov [ebx + 3], eax
                data_hit "LEN 4: a dword that overlaps the start", SCRATCH + 4, WRITE0_4, mov [ebx + 1], eax
                data_hit "LEN 4: the address's low bits are ignored", SCRATCH + 3, WRITE0_4, mov [ebx], al
                data_hit "LEN 1: a dword that covers it", SCRATCH + 2, WRITE0_1, mov [ebx], eax
                data_miss "LEN 2: the byte behind", SCRATCH, ACCESS0_2, mov al, [ebx + 2]
                data_hit "a push", USTACK - 4, WRITE0_4, push eax
                data_hit "a read-modify-write", SCRATCH, ACCESS0_4, inc dword [ebx]
                check   "3B 17.3.1.2", "two data breakpoints by one instruction: both bits"
                breakpoint SCRATCH, 0x00DD0005
                mov     eax, SCRATCH + 4
                mov     dr1, eax
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 4
                mov     ebx, SCRATCH + 2
                expect  DB_, 0, .two
                try     u32
                mov     [ebx], eax
.two:           nop
                yrt
                dr6_is  3
                check   "3B 17.3.1.2", "REP MOVS: the trap is between two iterations"
                breakpoint SCRATCH + 0x108, WRITE0_4
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 0x100
                mov     ecx, 8
                expect  DB_, 0, .rep
                try     u32
.rep:           rep movsd
                yrt
                is      [after + regs.ecx], 5
                is      [after + regs.edi], SCRATCH + 0x10C
                dr6_is  1
                check   "3B 17.3.1.1", "RF is set in the image of a trap between two iterations"
                breakpoint SCRATCH + 0x100, WRITE0_4
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 0x100
                mov     ecx, 2
                expect  DB_, 0, .rep_rf
                try     u32
.rep_rf:        rep movsd
                yrt
                is      [after + regs.ecx], 1
                flags   FL_RF, FL_RF
                check   "3B 17.3.1.1", "RF is clear in the image of the last iteration's"
                breakpoint SCRATCH + 0x100, WRITE0_4
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 0x100
                mov     ecx, 1
                expect  DB_, 0, .rep_last
                try     u32
                rep movsd
.rep_last:      nop
                yrt
                is      [after + regs.ecx], 0
                flags   FL_RF, 0
                when    HAS_FPU
                check   "3B 17.2.5, 17.3.1.2", "the tenth byte of FSTP m80"
                fninit
                breakpoint SCRATCH + 9, WRITE0_1
                mov     ebx, SCRATCH
                expect  DB_, 0, .fstp
                try     u32
                fstp    tword [ebx]
.fstp:          nop
                yrt
                dr6_is  1
                end_when
                when    HAS_486
                check   "3B 17.2.5, 17.3.1.2", "CMPXCHG that does not match writes all the same"
                mov     dword [SCRATCH], 7
                breakpoint SCRATCH, WRITE0_4
                mov     ebx, SCRATCH
                expect  DB_, 0, .cmpxchg
                try     u32
                cmpxchg [ebx], ecx
.cmpxchg:       nop
                yrt
                is      [after + regs.eax], 7
                dr6_is  1
                end_when
                check   "3A 4.6.1", "a write that faults is no hit"
                call    identity
                page    4, 0
                call    paging_on
                breakpoint at_page(4), WRITE0_1
                mov     ebx, at_page(4)
                expect  PF, PF_U | PF_W
                try     u32
                mov     [ebx], al
                yrt
                dr6_is  0

                when    HAS_DE
                check   "3B 17.2.4", "CR4.DE: an I/O breakpoint, after the instruction"
                mov     eax, CR4_DE
                mov     cr4, eax
                breakpoint 0x80, IO0_1
                expect  DB_, 0, .io
                try     u32
                in      al, 0x80
.io:            nop
                yrt
                dr6_is  1
                check   "3B 17.2.4", "CR4.DE: another port is no hit"
                mov     eax, CR4_DE
                mov     cr4, eax
                breakpoint 0x80, IO0_1
                try     u32
                in      al, 0x84
                yrt
                dr6_is  0
%macro io_breakpoint 1                          ; text; port 82, one byte
                check   "3B 17.2.4", %1
                mov     eax, CR4_DE
                mov     cr4, eax
                breakpoint 0x82, IO0_1
%endmacro
                io_breakpoint "CR4.DE: OUT"
                expect  DB_, 0, .out
                try     u32
                out     0x82, al
.out:           nop
                yrt
                dr6_is  1
                io_breakpoint "CR4.DE: a dword access that covers the port"
                expect  DB_, 0, .covered
                try     u32
                in      eax, 0x80
.covered:       nop
                yrt
                dr6_is  1
                io_breakpoint "CR4.DE: REP OUTS: the trap is between two iterations, with RF in the image"
                mov     esi, SCRATCH
                mov     edx, 0x82
                mov     ecx, 3
                expect  DB_, 0, .outs
                try     u32
.outs:          rep outsb
                yrt
                is      [after + regs.ecx], 2
                is      [after + regs.esi], SCRATCH + 1
                flags   FL_RF, FL_RF
                dr6_is  1
                io_breakpoint "CR4.DE: a port that the bitmap refuses is #GP(0) and no hit"
                mov     byte [iomap + 0x80 / 8], 4
                expect  GP, 0
                try     u32
                in      al, 0x82
                yrt
                dr6_is  0
                io_breakpoint "CR4.DE: memory at the port's number is no hit"
                try     k32
                mov     eax, [0x82]
                yrt
                dr6_is  0
                check   "3B 17.2.2", "CR4.DE: DR4 is #UD"
                mov     eax, CR4_DE
                mov     cr4, eax
                expect  UD
                try     k32
                db      0x0F, 0x21, 0xE0
                yrt
                end_when
                check   "3B 17.2.2", "without CR4.DE DR4 and DR5 are DR6 and DR7"
                breakpoint 0x1234, 0x02
                mov     ebx, 0x0F
                mov     dr6, ebx
                try     k32
                db      0x0F, 0x21, 0xE0        ; MOV EAX, DR4
                db      0x0F, 0x21, 0xE9        ; MOV ECX, DR5
                yrt
                and     dword [after + regs.eax], 0xF
                is      [after + regs.eax], 0xF
                and     dword [after + regs.ecx], 0x3FF
                is      [after + regs.ecx], 2
                check   "3B 17.2.4", "GD: reading a debug register is a fault, DR6.BD, and GD is cleared"
                mov     ecx, DR7_GD
                expect  DB_, 0, .gd_read
                try     k32
                mov     dr6, eax
                mov     dr7, ecx
.gd_read:       mov     eax, dr0
                yrt
                mov     eax, dr7
                and     eax, DR7_GD
                is      eax, 0
                dr6_is  DR6_BD
                check   "3B 17.2.4", "GD: writing one is a fault, too"
                mov     ecx, DR7_GD
                mov     ebx, 0x55
                mov     dr1, eax
                expect  DB_, 0, .gd_write
                try     k32
                mov     dr6, eax
                mov     dr7, ecx
.gd_write:      mov     dr1, ebx
                yrt
                mov     eax, dr1
                is      eax, 0
                dr6_is  DR6_BD
                check   "3B 17.2.4", "GD: reading DR7 is a fault as well"
                mov     ecx, DR7_GD
                expect  DB_, 0, .gd_dr7
                try     k32
                mov     dr6, eax
                mov     dr7, ecx
.gd_dr7:        mov     eax, dr7
                yrt
                dr6_is  DR6_BD
                check   "3B 17.2.4", "GD in real mode"
                mov     ecx, DR7_GD
                expect  DB_, 0, .gd_real
                try     real
                mov     dr6, eax
                mov     dr7, ecx
.gd_real:       mov     eax, dr0
                yrt
                dr6_is  DR6_BD
                check   "3B 17.2.4", "GD at CPL 3: #GP(0) comes first"
                mov     ecx, DR7_GD
                expect  GP, 0, .gd_user
                try     k32
                mov     dr7, ecx
                push    dword UDATA
                push    dword USTACK
                push    dword 2
                push    dword UCODE
                push    dword .gd_user
                iretd
.gd_user:       mov     eax, dr0
                yrt
                expect  ANY                     ; only a #DB clears GD
                try     k32
                mov     eax, dr0
                yrt
                check   "3B 17.2.4", "reserved bits of DR6 and DR7 read as they should"
                mov     eax, 0
                mov     dr6, eax
                mov     dr7, eax
                try     k32
                mov     eax, dr6
                mov     ecx, dr7
                yrt
                is      [after + regs.eax], 0xFFFF0FF0
                is      [after + regs.ecx], 0x400

                subject "single step"
                check   "3B 17.3.1.4", "TF when an instruction begins: #DB after it, DR6.BS"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .step
                try     u32
                inc     ecx
.step:          inc     ecx
                yrt
                is      [after + regs.ecx], 1
                flags   FL_TF, FL_TF
                dr6_is  DR6_BS
                check   "3B 17.3.1.4", "POPF that sets TF: the trap is after the next instruction"
                breakpoint 0, 0
                expect  DB_, 0, .popf
                try     u32
                push    dword FL_TF | 2
                popfd
                inc     ecx
.popf:          inc     ecx
                yrt
                is      [after + regs.ecx], 1
                dr6_is  DR6_BS
                check   "3B 17.3.1.4", "POPF that clears TF is still trapped"
                breakpoint 0, 0
                mov     dword [USTACK], 2
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .popf_off
                try     u32
                popfd
.popf_off:      inc     ecx
                yrt
                is      [after + regs.ecx], 0
                flags   FL_TF, 0
                check   "3B 17.3.1.4", "INT n clears TF after pushing it; no trap in the handler"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                try     u32
                yrt
                flags   FL_TF, FL_TF
                check   "3B 17.3.1.4", "a faulting instruction is not trapped"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                expect  UD
                try     u32
                ud2
                yrt
                dr6_is  0
                check   "3B 17.3.1.4", "REP MOVS is trapped after each iteration, EIP on it"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                mov     esi, SCRATCH
                mov     edi, SCRATCH + 0x100
                mov     ecx, 3
                expect  DB_, 0, .rep_step
                try     u32
.rep_step:      rep movsd
                yrt
                is      [after + regs.ecx], 2
                is      [after + regs.esi], SCRATCH + 4
                dr6_is  DR6_BS
                check   "3B 17.3.1.4", "a data breakpoint and a single step are one #DB with both bits"
                breakpoint SCRATCH, WRITE0_1
                mov     ebx, SCRATCH
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .both_bits
                try     u32
                mov     [ebx], al
.both_bits:     nop
                yrt
                dr6_is  DR6_BS | 1
                check   "3B 17.2.3", "DR6.BS stays set until software clears it"
                breakpoint .sticky, EXEC0
                mov     eax, DR6_BS
                mov     dr6, eax
                expect  DB_, 0, .sticky
                try     u32
                nop
.sticky:        nop
                yrt
                dr6_is  DR6_BS | 1
                check   "3A 6.8.3", "a taken jump is stepped like any other"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .target
                try     u32
                jmp     short .target
                nop
.target:        nop
                yrt
                check   "3A 6.8.3", "single step in V86 mode"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF | FL_IOPL
                expect  DB_, 0, .v86_step
                try     v86
                inc     cx
.v86_step:      inc     cx
                yrt
                dr6_is  DR6_BS
                check   "3A 6.8.3", "single step in real mode"
                breakpoint 0, 0
                mov     dword [run.eflags], FL_TF
                expect  DB_, 0, .real_step
                try     real
                inc     cx
.real_step:     inc     cx
                yrt
                dr6_is  DR6_BS
                check   "2A INT", "ICEBP leaves DR6"
                breakpoint 0, 0
                expect  DB_, 0, .icebp
                try     u32
                db      0xF1
.icebp:
                yrt
                dr6_is  0
                ret
