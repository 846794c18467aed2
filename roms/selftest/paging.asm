; 32-bit paging: faults with all error codes, A and D, WP, global pages and INVLPG, 4 MiB pages
; (SDM 3A 4.3, 4.6-4.8, 4.10).

; Identity map of 0-3FFFFF, all rights. Preserves registers.
identity:       pushad
                cld
                mov     edi, PDIR
                xor     eax, eax
                mov     ecx, 1024
                rep stosd
                mov     dword [PDIR], PTAB + 7
                mov     edi, PTAB
                mov     eax, 7
                mov     ecx, 1024
.next:          stosd
                add     eax, 0x1000
                loop    .next
                popad
                ret

paging_on:      push    eax
                mov     eax, PDIR
                mov     cr3, eax
                mov     eax, cr0
                or      eax, CR0_PG
                mov     cr0, eax
                pop     eax
                ret

; One access to page 4 with flags %3 in its entry, at context %4: OK or #PF with error code %5.
%macro page_check 6+                            ; section, text, flags, context, error (-1: none), instruction
                check   %1, %2
                call    identity
                page    4, %3
                call    paging_on
                mov     ebx, at_page(4) + 0x123
%if (%5) >= 0
                expect  PF, %5
                cr2_is  at_page(4) + 0x123
%endif
                try     %4
                %6
                yrt
%endmacro

; Entry flags after the access.
%macro entry_is 1
                mov     ecx, [pte_at(4)]
                and     ecx, 0xFFF
                is      ecx, %1
%endmacro

paging:         subject "paging"
                page_check "3A 4.7", "read, not present, CPL 0: #PF(0)", 0, k32, 0, mov eax, [ebx]
                page_check "3A 4.7", "write, not present, CPL 0: #PF(W)", 0, k32, PF_W, mov [ebx], eax
                page_check "3A 4.7", "read, not present, CPL 3: #PF(U)", 0, u32, PF_U, mov eax, [ebx]
                page_check "3A 4.7", "write, not present, CPL 3: #PF(U W)", 0, u32, PF_U | PF_W, mov [ebx], eax
                page_check "3A 4.7", "a fault at CPL 1 is a supervisor's", 0, r1, 0, mov eax, [ebx]
                page_check "3A 4.7", "not present, but all other bits set", 0xFFE, u32, PF_U, mov eax, [ebx]
                page_check "3A 4.6", "CPL 3 reads a supervisor page: #PF(U P)", PTE_P | PTE_W, u32, PF_U | PTE_P, mov eax, [ebx]
                page_check "3A 4.6", "CPL 3 writes a supervisor page: #PF(U W P)", PTE_P | PTE_W, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                page_check "3A 4.6", "CPL 3 reads a read-only page", PTE_P | PTE_U, u32, -1, mov eax, [ebx]
                page_check "3A 4.6", "CPL 3 writes a read-only page: #PF(U W P)", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                page_check "3A 4.6", "CPL 2 reads a supervisor page", PTE_P | PTE_W, r2, -1, mov eax, [ebx]
                page_check "3A 4.6", "CPL 0 writes a read-only page without WP", PTE_P | PTE_U, k32, -1, mov [ebx], eax
                entry_is PTE_P | PTE_U | PTE_A | PTE_D
                page_check "3A 4.7", "a read-modify-write is a write", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, add [ebx], eax
                page_check "3A 4.7", "XCHG is a write", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, xchg [ebx], eax
                page_check "3A 4.7", "BTS of a bit that is set is a write", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, bts dword [ebx], 0
                page_check "3A 4.7", "CMP only reads", PTE_P | PTE_U, u32, -1, cmp [ebx], eax
                page_check "3A 4.7", "TEST only reads", PTE_P | PTE_U, u32, -1, test [ebx], eax
                page_check "3A 4.7", "RCL of a writable page", PTE_P | PTE_U | PTE_W, u32, -1, rcl dword [ebx], 1
                when    HAS_486
                page_check "3A 4.6", "CMPXCHG that does not match is a write all the same", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, cmpxchg [ebx], ecx
%macro wp_check 3
                check   %1, %2
                call    identity
                page    4, PTE_P | PTE_U
                mov     eax, cr0
                or      eax, CR0_WP
                mov     cr0, eax
                call    paging_on
                mov     ebx, at_page(4) + 0x123
                expect  PF, %3
                cr2_is  at_page(4) + 0x123
%endmacro
                wp_check "3A 4.6", "CR0.WP: CPL 0 cannot write a read-only page: #PF(W P)", PF_W | PTE_P
                try     k32
                mov     [ebx], eax
                yrt
                check   "3A 4.6", "CR0.WP set after a write to the page: the next one faults"
                call    identity
                page    4, PTE_P | PTE_U
                call    paging_on
                mov     ebx, at_page(4)
                mov     eax, cr0
                or      eax, CR0_WP
                expect  PF, PF_W | PTE_P, .wp_write
                try     k32
                mov     [ebx], eax
                mov     cr0, eax
.wp_write:      mov     [ebx], eax
                yrt
                end_when

                ; the directory's rights
%macro directory 6+                             ; section, text, flags of the PDE, context, error, instruction
                check   %1, %2
                call    identity
                mov     eax, [pte_at(4)]        ; the scratch memory again at 400000 + its address
                mov     dword [PDIR + 4], PTAB + (%3)
                call    paging_on
                mov     ebx, at_page(4) + 0x400000
%if (%5) >= 0
                expect  PF, %5
                cr2_is  at_page(4) + 0x400000
%endif
                try     %4
                %6
                yrt
%endmacro
                directory "3A 4.7", "directory entry not present: #PF(U W)", 0, u32, PF_U | PF_W, mov [ebx], eax
                directory "3A 4.6", "supervisor directory entry, user page: #PF(U P)", PTE_P | PTE_W, u32, PF_U | PTE_P, mov eax, [ebx]
                directory "3A 4.6", "read-only directory entry, writable page: #PF(U W P)", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                directory "3A 4.6", "read-only directory entry: reading", PTE_P | PTE_U, u32, -1, mov eax, [ebx]
                mov     eax, [PDIR + 4]
                and     eax, 0xFFF
                is      eax, PTE_P | PTE_U | PTE_A

                ; A and D
                page_check "3A 4.8", "a read sets A", PTE_P | PTE_U | PTE_W, u32, -1, mov eax, [ebx]
                entry_is PTE_P | PTE_U | PTE_W | PTE_A
                page_check "3A 4.8", "a write sets A and D", PTE_P | PTE_U | PTE_W, u32, -1, mov [ebx], eax
                entry_is PTE_P | PTE_U | PTE_W | PTE_A | PTE_D
                page_check "3A 4.8", "a write after a read sets D", PTE_P | PTE_U | PTE_W, u32, -1, add [ebx], eax
                entry_is PTE_P | PTE_U | PTE_W | PTE_A | PTE_D
                page_check "3A 4.8", "a refused write does not set D", PTE_P | PTE_U, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                mov     ecx, [pte_at(4)]
                and     ecx, PTE_D
                is      ecx, 0
                page_check "3A 4.8", "the bits free for software stay", PTE_P | PTE_U | PTE_W | 0xE00, u32, -1, mov [ebx], eax
                entry_is PTE_P | PTE_U | PTE_W | PTE_A | PTE_D | 0xE00
                check   "3A 4.8", "D is set by the first write after it was cleared and the TLB flushed"
                call    identity
                page    4, PTE_P | PTE_U | PTE_W
                call    paging_on
                mov     ebx, at_page(4)
                try     k32
                mov     [ebx], eax
                and     dword [pte_at(4)], ~PTE_D
                mov     eax, cr3
                mov     cr3, eax
                mov     eax, [ebx]
                mov     ecx, [pte_at(4)]
                mov     [ebx], eax
                mov     edx, [pte_at(4)]
                yrt
                and     dword [after + regs.ecx], PTE_D
                is      [after + regs.ecx], 0
                and     dword [after + regs.edx], PTE_D
                is      [after + regs.edx], PTE_D

                ; crossing
                check   "3A 6.15 #PF", "a read that crosses into a page that is not there: CR2 is the second page"
                call    identity
                page    5, 0
                call    paging_on
                mov     ebx, at_page(5) - 2
                expect  PF, PF_U
                cr2_is  at_page(5)
                try     u32
                mov     eax, [ebx]
                yrt
                check   "3A 6.15 #PF", "a write that crosses into a read-only page changes nothing"
                call    identity
                page    5, PTE_P | PTE_U
                mov     dword [at_page(5) - 2], 0x11112222
                call    paging_on
                mov     ebx, at_page(5) - 2
                mov     eax, -1
                expect  PF, PF_U | PF_W | PTE_P
                cr2_is  at_page(5)
                try     u32
                mov     [ebx], eax
                yrt
                is      [at_page(5) - 2], 0x11112222
                check   "3A 6.15 #PF", "both pages are missing: CR2 is the first byte"
                call    identity
                page    4, 0
                page    5, 0
                call    paging_on
                mov     ebx, at_page(5) - 1
                expect  PF, PF_U
                cr2_is  at_page(5) - 1
                try     u32
                mov     eax, [ebx]
                yrt
                check   "3A 6.15 #PF", "an instruction fetch from a missing page: CR2 = EIP"
                call    identity
                page    4, 0
                call    paging_on
                mov     ebx, at_page(4) + 8
                expect  PF, PF_U, at_page(4) + 8
                cr2_is  at_page(4) + 8
                try     u32
                jmp     ebx
                yrt
                check   "3A 6.15 #PF", "an instruction that crosses into a missing page: EIP its start, CR2 the page"
                call    identity
                page    5, 0
                mov     byte [at_page(5) - 1], 0xB8 ; MOV EAX, imm32
                call    paging_on
                mov     ebx, at_page(5) - 1
                expect  PF, PF_U, at_page(5) - 1
                cr2_is  at_page(5)
                try     u32
                jmp     ebx
                yrt
                check   "3A 6.15 #PF", "an instruction that ends with its page needs no next one"
                call    identity
                page    5, 0
                mov     word [at_page(5) - 2], 0x30CD ; INT 30
                call    paging_on
                mov     ebx, at_page(5) - 2
                expect  ANY
                try     u32
                jmp     ebx
                yrt
                is      [after + regs.vector], OK
                is      [after + regs.eip], at_page(5)
                check   "3A 6.15 #PF", "PUSH onto a missing page keeps ESP"
                call    identity
                page    4, 0
                call    paging_on
                mov     ebx, at_page(5)
                expect  PF, PF_U | PF_W, .push
                cr2_is  at_page(5) - 4
                try     u32
                mov     esp, ebx
.push:          push    eax
                yrt
                is      [after + regs.esp], at_page(5)
                check   "3A 6.15 #PF", "CALL whose push faults has not jumped"
                call    identity
                page    4, 0
                call    paging_on
                mov     ebx, at_page(5)
                expect  PF, PF_U | PF_W, .call
                try     u32
                mov     esp, ebx
.call:          call    gate_end
                yrt
                check   "3A 6.15 #PF", "POP into a missing page keeps ESP"
                call    identity
                page    4, 0
                call    paging_on
                mov     ebx, at_page(4)
                expect  PF, PF_U | PF_W, .pop
                try     u32
                mov     esp, at_page(6)
.pop:           pop     dword [ebx]
                yrt
                is      [after + regs.esp], at_page(6)
                check   "3A 6.15 #PF", "PUSHA across a missing page changes no memory"
                call    identity
                page    4, 0
                mov     dword [at_page(5)], 0x5A5A5A5A
                call    paging_on
                expect  PF, PF_U | PF_W, .pusha
                try     u32
                mov     esp, at_page(5) + 8
.pusha:         pushad
                yrt
                is      [after + regs.esp], at_page(5) + 8
                check   "3A 4.6.1", "the CPU's own accesses at CPL 3 are a supervisor's: GDT, IDT, TSS in a supervisor page"
                call    identity
                and     dword [PTAB + (LIVE >> 12) * 4], ~PTE_U
                call    paging_on
                mov     eax, UDATA
                try     u32
                mov     es, ax
                yrt
                check   "3A 4.6.1", "a descriptor in a missing page, loaded at CPL 3: #PF(0), without U"
                call    identity
                mov     esi, LIVE               ; the GDT again; T0 is the first entry on page 5
                mov     edi, at_page(5) - T0
                mov     ecx, BEYOND / 4
                rep movsd
                mov     dword [gdtr + 2], at_page(5) - T0
                lgdt    [gdtr]
                mov     dword [gdtr + 2], gdt
                page    5, 0
                call    paging_on
                mov     eax, T0 | 3
                expect  PF, 0
                cr2_is  at_page(5)
                try     u32
                mov     es, ax
                yrt
                when    HAS_486
                check   "3A 3.4.5.1", "a descriptor in a read-only page, with WP: setting its accessed bit is #PF(W P)"
                call    identity
                mov     esi, LIVE
                mov     edi, at_page(5) - T0
                mov     ecx, BEYOND / 4
                rep movsd
                mov     dword [at_page(5)], 0x0000FFFF
                mov     dword [at_page(5) + 4], 0x00CFF200
                mov     dword [gdtr + 2], at_page(5) - T0
                lgdt    [gdtr]
                mov     dword [gdtr + 2], gdt
                page    5, PTE_P | PTE_U
                mov     eax, cr0
                or      eax, CR0_WP
                mov     cr0, eax
                call    paging_on
                mov     eax, T0 | 3
                expect  PF, PF_W | PTE_P
                try     u32
                mov     es, ax
                yrt
                end_when

                check   "3A 6.15 #PF", "CR2 keeps its value at other exceptions"
                call    identity
                page    4, 0
                call    paging_on
                mov     ecx, 0x1234567
                mov     ebx, BEYOND
                expect  GP, BEYOND, .other
                try     k32
                mov     cr2, ecx
.other:         mov     ds, bx
                yrt
                is      [after + regs.cr2], 0x1234567

                ; TLB
                check   "3A 4.10.4", "MOV CR3 takes a changed entry into use"
                call    identity
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                call    paging_on
                mov     ebx, at_page(4)
                try     k32
                mov     eax, [ebx]
                page    4, 7, 5
                mov     ecx, cr3
                mov     cr3, ecx
                mov     edx, [ebx]
                yrt
                is      [after + regs.eax], 0x44444444
                is      [after + regs.edx], 0x55555555
                when    HAS_486
                check   "3A 4.10.4", "INVLPG takes a changed entry into use"
                call    identity
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                call    paging_on
                mov     ebx, at_page(4)
                try     k32
                mov     eax, [ebx]
                page    4, 7, 5
                invlpg  [ebx + 0xFFF]
                mov     edx, [ebx]
                yrt
                is      [after + regs.edx], 0x55555555
                check   "2A INVLPG", "INVLPG with a register: #UD"
                expect  UD
                try     k32
                db      0x0F, 0x01, 0xFA  ; mod = 3
                yrt
                end_when
                check   "3A 4.10.4.3", "an entry that was not present is not cached"
                call    identity
                page    4, 0
                mov     dword [at_page(4)], 0x44444444
                call    paging_on
                mov     ebx, at_page(4)
                mov     ecx, .not_cached
                mov     [idt_at(PF)], cx
                shr     ecx, 16
                mov     [idt_at(PF) + 6], cx
                try     k32
                mov     esi, esp
                mov     eax, [ebx]
.not_cached:    page    4, 7
                mov     esp, esi
                mov     edx, [ebx]
                yrt
                is      [after + regs.edx], 0x44444444

                when    HAS_PGE
                check   "3A 4.10.2.4", "a global page outlives MOV CR3, not a change of CR4.PGE"
                call    identity
                page    4, 7 | PTE_G
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                mov     eax, CR4_PGE
                mov     cr4, eax
                call    paging_on
                mov     ebx, at_page(4)
                xor     esi, esi
                try     k32
                mov     eax, [ebx]
                page    4, 7 | PTE_G, 5
                mov     ecx, cr3
                mov     cr3, ecx
                mov     edx, [ebx]              ; may be the old one; must not be anything else
                mov     cr4, esi
                mov     edi, [ebx]
                yrt
                is      [after + regs.eax], 0x44444444
                is      [after + regs.edi], 0x55555555
                check   "3A 4.10.4.1", "INVLPG removes a global page"
                call    identity
                page    4, 7 | PTE_G
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                mov     eax, CR4_PGE
                mov     cr4, eax
                call    paging_on
                mov     ebx, at_page(4)
                try     k32
                mov     eax, [ebx]
                page    4, 7 | PTE_G, 5
                invlpg  [ebx]
                mov     edx, [ebx]
                yrt
                is      [after + regs.edx], 0x55555555
                end_when

                when    HAS_PSE
                subject "4 MiB pages"
%macro large 6+                                 ; text, PDE, context, error, CR2 - 400000, instruction
                check   "3A 4.3", %1
                call    identity
                mov     dword [PDIR + 4], %2
                mov     eax, CR4_PSE
                mov     cr4, eax
                call    paging_on
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x400000
%if (%4) >= 0
                expect  PF, %4
                cr2_is  0x400000 + (%5)
%endif
                try     %3
                %6
                yrt
%endmacro
                large   "a read through one sets A", PTE_P | PTE_W | PTE_U | PTE_PS, u32, -1, 0, mov ecx, [ebx]
                is      [after + regs.ecx], 0x44444444
                is      [PDIR + 4], PTE_P | PTE_W | PTE_U | PTE_PS | PTE_A
                large   "a write sets A and D", PTE_P | PTE_W | PTE_U | PTE_PS, u32, -1, 0, mov [ebx], eax
                is      [PDIR + 4], PTE_P | PTE_W | PTE_U | PTE_PS | PTE_A | PTE_D
                large   "supervisor: #PF(U P)", PTE_P | PTE_W | PTE_PS, u32, PF_U | PTE_P, at_page(4), mov ecx, [ebx]
                large   "read-only: #PF(U W P)", PTE_P | PTE_U | PTE_PS, u32, PF_U | PF_W | PTE_P, at_page(4), mov [ebx], eax
                large   "a reserved bit (21): #PF(RSVD P)", PTE_P | PTE_W | PTE_U | PTE_PS | 1 << 21, k32, PF_RSVD | PTE_P, at_page(4), mov ecx, [ebx]
                large   "a reserved bit, write at CPL 3: #PF(U W RSVD P)", PTE_P | PTE_W | PTE_U | PTE_PS | 1 << 21, u32, PF_U | PF_W | PF_RSVD | PTE_P, at_page(4), mov [ebx], eax
                check   "3A 4.3", "without CR4.PSE the PS bit is ignored"
                call    identity
                mov     dword [PDIR + 4], PTAB + (PTE_P | PTE_W | PTE_U | PTE_PS)
                call    paging_on
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x400000
                try     u32
                mov     ecx, [ebx]
                yrt
                is      [after + regs.ecx], 0x44444444
                end_when
                ret
