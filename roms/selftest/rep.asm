; Repeated string instructions that fault or are interrupted in the middle (SDM 2B REP; 3A 6.6).

rep_prefix:     subject "REP"
                check   "2B REP", "a page fault in the middle: registers show what is done, EIP the instruction"
                call    identity
                page    5, 0
                call    paging_on
                mov     esi, SCRATCH
                mov     edi, at_page(5) - 8
                mov     ecx, 5
                expect  PF, PF_U | PF_W, .fault
                cr2_is  at_page(5)
                try     u32
.fault:         rep movsd
                yrt
                is      [after + regs.ecx], 3
                is      [after + regs.esi], SCRATCH + 8
                is      [after + regs.edi], at_page(5)
                check   "2B REP", "and backwards"
                call    identity
                page    4, 0
                call    paging_on
                mov     esi, SCRATCH + 0x100
                mov     edi, at_page(5) + 4
                mov     ecx, 5
                mov     dword [run.eflags], FL_DF
                expect  PF, PF_U | PF_W, .back
                cr2_is  at_page(5) - 4
                try     u32
.back:          rep movsd
                yrt
                is      [after + regs.ecx], 3
                is      [after + regs.edi], at_page(5) - 4
                check   "2B REP", "an element across into a missing page is not begun"
                call    identity
                page    5, 0
                mov     dword [at_page(5) - 4], 0
                call    paging_on
                mov     edi, at_page(5) - 6
                mov     ecx, 5
                mov     eax, -1
                expect  PF, PF_U | PF_W, .split
                cr2_is  at_page(5)
                try     u32
.split:         rep stosd
                yrt
                is      [after + regs.ecx], 4
                is      [after + regs.edi], at_page(5) - 2
                movzx   eax, word [at_page(5) - 2]
                is      eax, 0
                check   "2B REP", "the source's fault: LODS keeps its count"
                call    identity
                page    5, 0
                call    paging_on
                mov     esi, at_page(5) - 4
                mov     ecx, 2
                mov     dword [at_page(5) - 4], 0x600DF00D
                expect  PF, PF_U, .lods
                cr2_is  at_page(5)
                try     u32
.lods:          rep lodsd
                yrt
                is      [after + regs.ecx], 1
                is      [after + regs.eax], 0x600DF00D
                check   "2B REP", "with ECX = 0 nothing is touched"
                mov     esi, 0xFFFFFFF0
                call    identity
                call    paging_on
                mov     edi, esi
                try     u32
                rep movsd
                rep stosb
                repne scasb
                yrt
                is      [after + regs.esi], 0xFFFFFFF0
                check   "2B REP", "with 16-bit addresses CX counts"
                mov     ecx, 0x12340003
                mov     edi, 0x5678_8000
                try     u32
                a16 rep stosb
                yrt
                is      [after + regs.ecx], 0x12340000
                is      [after + regs.edi], 0x56788003
                check   "2B REP", "the segment limit in the middle: #GP(0)"
                descriptor T0, SCRATCH, 0xFF, A_DATA | A_DPL3, D_BIG
                mov     eax, T0 | 3
                mov     edi, 0xF0
                mov     ecx, 8
                expect  GP, 0, .limit
                try     u32
                mov     es, ax
.limit:         rep stosd
                yrt
                is      [after + regs.ecx], 4
                is      [after + regs.edi], 0x100
                check   "2B REP", "resumed after the fault, it completes"
                call    identity
                page    5, 0
                call    paging_on
                mov     ecx, .mend
                mov     [idt_at(PF)], cx
                shr     ecx, 16
                mov     [idt_at(PF) + 6], cx
                mov     edi, at_page(4)
                mov     ecx, 0x800
                mov     eax, 0x12345678
                try     u32
                rep stosd
                jmp     short .resumed
.mend:          push    ds                      ; maps the page
                push    dword KDATA
                pop     ds
                page    5, 7
                pop     ds
                add     esp, 4
                iretd
.resumed:
                yrt
                is      [after + regs.ecx], 0
                is      [after + regs.edi], at_page(6)
                is      [at_page(5) - 4], 0x12345678
                is      [at_page(6) - 4], 0x12345678
                irq_check "2B REP", "interrupted: EIP on the instruction, count and index agree"
                mov     edi, SCRATCH
                mov     ecx, 0x3000
                mov     eax, 0x5A5A5A5A
                expect  ANY
                try     k32
                sti
.irq:           rep stosd
                yrt
                is      [after + regs.vector], IRQ_BASE
                mov     eax, [after + regs.edi]
                sub     eax, SCRATCH
                shr     eax, 2
                add     eax, [after + regs.ecx]
                is      eax, 0x3000
                mov     eax, [after + regs.eip]
                cmp     dword [after + regs.ecx], 0
                jne     .unfinished
                sub     eax, 2                  ; (or it was completed at once)
.unfinished:    is      eax, .irq
                irq_check "3B 17.3.1.1", "an interrupt between two iterations: RF is set in the image"
                mov     edi, SCRATCH
                mov     ecx, 0x3000
                expect  ANY
                try     k32
                sti
                rep stosd
                yrt
                is      [after + regs.vector], IRQ_BASE
                mov     ecx, [after + regs.eflags]
                and     ecx, FL_RF
                mov     eax, 0
                cmp     [after + regs.ecx], eax
                je      .completed              ; (at once)
                mov     eax, FL_RF
.completed:     is      ecx, eax
                irq_check "2B REP", "interrupted and resumed, it completes"
                mov     eax, shadow_handler
                mov     [idt_at(IRQ_BASE)], ax
                shr     eax, 16
                mov     [idt_at(IRQ_BASE) + 6], ax
                mov     edi, SCRATCH
                mov     ecx, 0x3000
                mov     eax, 0xA5A5A5A5
                xor     ebx, ebx
                try     k32
                sti
                rep stosd
                cli
                yrt
                is      [after + regs.ebx], 1
                is      [after + regs.ecx], 0
                is      [after + regs.edi], SCRATCH + 0xC000
                is      [SCRATCH], 0xA5A5A5A5
                is      [SCRATCH + 0xBFFC], 0xA5A5A5A5
                check   "2B REP", "REPNE SCAS ends where it finds, with flags and count"
                mov     dword [SCRATCH], 0x04030201
                mov     edi, SCRATCH
                mov     ecx, 10
                mov     eax, 3
                try     u32
                repne scasb
                yrt
                is      [after + regs.ecx], 7
                is      [after + regs.edi], SCRATCH + 3
                flags   FL_ZF, FL_ZF
                check   "2B REP", "REPE CMPS whose second element faults keeps the first one's progress"
                call    identity
                page    5, 0
                mov     dword [at_page(5) - 4], 7
                mov     dword [SCRATCH], 7
                call    paging_on
                mov     esi, SCRATCH
                mov     edi, at_page(5) - 4
                mov     ecx, 2
                expect  PF, PF_U, .cmps
                cr2_is  at_page(5)
                try     u32
.cmps:          repe cmpsd
                yrt
                is      [after + regs.ecx], 1
                is      [after + regs.esi], SCRATCH + 4
                ret

; IRQ 0: once, counted in EBX.
shadow_handler: push    eax
                mov     al, 0xFF
                out     0x21, al
                mov     al, 0x20
                out     0x20, al
                pop     eax
                inc     ebx
                iretd
