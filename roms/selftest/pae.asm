; PAE paging with 4K and 2M pages, reserved bits, execute-disable (SDM 3A 4.4, 4.6, 4.7).

MSR_EFER        equ     0xC0000080
EFER_NXE        equ     1 << 11
PDPT_FLAGS      equ     1

; Identity map of 0-1FFFFF in 4K pages; 200000-3FFFFF is a 2M page to the same memory.
pae_identity:   pushad
                cld
                mov     edi, PAE_PDPT
                xor     eax, eax
                mov     ecx, 0x3000 / 4
                rep stosd
                mov     dword [PAE_PDPT], PAE_PD + PDPT_FLAGS
                mov     dword [PAE_PD], PAE_PT + 7
                mov     dword [PAE_PD + 8], PTE_PS + 7
                mov     edi, PAE_PT
                mov     eax, 7
                mov     ecx, 512
.next:          mov     [edi], eax
                mov     dword [edi + 4], 0
                add     edi, 8
                add     eax, 0x1000
                loop    .next
                popad
                ret

pae_on:         push    eax
                mov     eax, CR4_PAE
                mov     cr4, eax
                mov     eax, PAE_PDPT
                mov     cr3, eax
                mov     eax, cr0
                or      eax, CR0_PG
                mov     cr0, eax
                pop     eax
                ret

%define pae_pte(n) PAE_PT + ((SCRATCH >> 12) + (n)) * 8

; An access to page 4 (EBX); low and high dword of the entry.
%macro pae_check 7+                             ; section, text, low flags, high dword, context, error, instruction
                check   %1, %2
                call    pae_identity
                mov     dword [pae_pte(4)], at_page(4) + (%3)
                mov     dword [pae_pte(4) + 4], %4
                call    pae_on
                mov     ebx, at_page(4)
%if (%6) >= 0
                expect  PF, %6
                cr2_is  at_page(4)
%endif
                try     %5
                %7
                yrt
%endmacro

%macro nxe 1
                mov     ecx, MSR_EFER
                rdmsr
                and     eax, ~EFER_NXE
                or      eax, %1
                wrmsr
%endmacro

%macro nx_check 6                               ; section, text, high dword of the entry, its low flags, context, error
                check   %1, %2
                call    pae_identity
                mov     dword [pae_pte(4)], at_page(4) + (%4)
                mov     dword [pae_pte(4) + 4], %3
                mov     word [at_page(4)], 0x30CD
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(4)
                expect  PF, %6, at_page(4)
                cr2_is  at_page(4)
                try     %5
                jmp     ebx
                yrt
                nxe     0
%endmacro

pae:            when    HAS_PAE
                subject "PAE"
                pae_check "3A 4.4.2", "a write through it sets A and D", 7, 0, u32, -1, mov [ebx], eax
                is      [pae_pte(4)], at_page(4) + 0x67
                is      [pae_pte(4) + 4], 0
                pae_check "3A 4.7", "not present: #PF(U)", 0, 0, u32, PF_U, mov eax, [ebx]
                pae_check "3A 4.6", "supervisor page: #PF(U P)", 3, 0, u32, PF_U | PTE_P, mov eax, [ebx]
                pae_check "3A 4.6", "read-only page: #PF(U W P)", 5, 0, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                pae_check "3A 4.7", "a reserved bit of the entry (62): #PF(RSVD P)", 7, 0x40000000, k32, PF_RSVD | PTE_P, mov eax, [ebx]
                pae_check "3A 4.7", "a reserved bit, write at CPL 3: #PF(U W RSVD P)", 7, 0x40000000, u32, PF_U | PF_W | PF_RSVD | PTE_P, mov [ebx], eax
                pae_check "3A 4.7", "bit 63 is reserved without NXE: #PF(RSVD P)", 7, 0x80000000, k32, PF_RSVD | PTE_P, mov eax, [ebx]
                pae_check "3A 4.7", "not present: reserved bits are not looked at", 0, 0x40000000, k32, 0, mov eax, [ebx]
%macro pae_directory 6+                         ; text, low and high dword of the PDE, context, error, instruction
                check   "3A 4.6", %1
                call    pae_identity
                mov     dword [PAE_PD + 8], PAE_PT + (%2)
                mov     dword [PAE_PD + 12], %3
                call    pae_on
                mov     ebx, at_page(4) + 0x200000
%if (%5) >= 0
                expect  PF, %5
                cr2_is  at_page(4) + 0x200000
%endif
                try     %4
                %6
                yrt
%endmacro
                pae_directory "a supervisor directory entry: #PF(U P)", 3, 0, u32, PF_U | PTE_P, mov eax, [ebx]
                pae_directory "a read-only directory entry: #PF(U W P)", 5, 0, u32, PF_U | PF_W | PTE_P, mov [ebx], eax
                pae_directory "a directory entry with a reserved bit (62): #PF(RSVD P)", 7, 0x40000000, k32, PF_RSVD | PTE_P, mov eax, [ebx]
                check   "3A 4.6", "CR0.WP: CPL 0 cannot write a read-only page: #PF(W P)"
                call    pae_identity
                mov     dword [pae_pte(4)], at_page(4) + 5
                mov     eax, cr0
                or      eax, CR0_WP
                mov     cr0, eax
                call    pae_on
                mov     ebx, at_page(4)
                expect  PF, PF_W | PTE_P
                cr2_is  at_page(4)
                try     k32
                mov     [ebx], eax
                yrt
                check   "3A 4.10.4.1", "INVLPG takes a changed entry into use"
                call    pae_identity
                call    pae_on
                mov     dword [at_page(4)], 0x44444444
                mov     dword [at_page(5)], 0x55555555
                mov     ebx, at_page(4)
                try     k32
                mov     eax, [ebx]
                mov     dword [pae_pte(4)], at_page(5) + 7
                invlpg  [ebx]
                mov     edx, [ebx]
                yrt
                is      [after + regs.edx], 0x55555555
                check   "3A 4.4.2", "a 2M page"
                call    pae_identity
                call    pae_on
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x200000
                try     u32
                mov     eax, [ebx]
                mov     [ebx + 4], eax
                yrt
                is      [after + regs.eax], 0x44444444
                is      [PAE_PD + 8], PTE_PS + 0x67
                check   "3A 4.4.2", "a reserved bit of a 2M page (13): #PF(RSVD P)"
                call    pae_identity
                or      dword [PAE_PD + 8], 1 << 13
                call    pae_on
                mov     ebx, 0x200000
                expect  PF, PF_RSVD | PTE_P
                cr2_is  0x200000
                try     k32
                mov     eax, [ebx]
                yrt
                check   "3A 4.4.1", "a PDPTE that is not present: #PF"
                call    pae_identity
                call    pae_on
                mov     ebx, 0x40000000
                expect  PF, PF_W
                cr2_is  0x40000000
                try     k32
                mov     [ebx], eax
                yrt
                check   "3A 4.4.1", "MOV CR3 with a reserved bit in a PDPTE: #GP(0)"
                call    pae_identity
                call    pae_on
                mov     eax, PAE_PDPT + 0x800
                mov     dword [eax], PAE_PD + PDPT_FLAGS
                mov     dword [eax + 8], PAE_PD + PDPT_FLAGS + PTE_W
                expect  GP, 0
                try     k32
                mov     cr3, eax
                yrt
                check   "3A 4.4.1", "setting CR0.PG with a reserved bit in a PDPTE: #GP(0)"
                call    pae_identity
                mov     dword [PAE_PDPT + 8], PAE_PD + PDPT_FLAGS + PTE_U
                mov     eax, CR4_PAE
                mov     cr4, eax
                mov     eax, PAE_PDPT
                mov     cr3, eax
                mov     eax, cr0
                or      eax, CR0_PG
                expect  GP, 0
                try     k32
                mov     cr0, eax
                yrt
                check   "3A 4.4.1", "a PDPTE in memory counts only after MOV CR3"
                call    pae_identity
                call    pae_on
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x40000000
                mov     dword [PAE_PDPT + 8], PAE_PD + PDPT_FLAGS
                expect  PF, 0, .pdpte
                cr2_is  at_page(4) + 0x40000000
                try     k32
                mov     ecx, [at_page(4)]
.pdpte:         mov     eax, [ebx]
                yrt
                check   "3A 4.4.1", "and after MOV CR3 it does"
                call    pae_identity
                call    pae_on
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x40000000
                mov     dword [PAE_PDPT + 8], PAE_PD + PDPT_FLAGS
                mov     ecx, cr3
                try     k32
                mov     cr3, ecx
                mov     eax, [ebx]
                yrt
                is      [after + regs.eax], 0x44444444
                check   "3A 4.4.1", "CR3 bits 11-5 are part of the PDPT's address"
                call    pae_identity
                call    pae_on
                mov     dword [PAE_PDPT + 0xFE0], PAE_PD + PDPT_FLAGS
                mov     dword [PAE_PDPT + 0xFE8], PAE_PD + PDPT_FLAGS
                mov     dword [at_page(4)], 0x44444444
                mov     ebx, at_page(4) + 0x40000000
                mov     ecx, PAE_PDPT + 0xFE0
                try     k32
                mov     cr3, ecx
                mov     eax, [ebx]
                yrt
                is      [after + regs.eax], 0x44444444

                when    HAS_NX
                subject "execute-disable"
                nx_check "3A 4.6", "a fetch from a page with XD at CPL 0: #PF(I P)", 0x80000000, 7, k32, PF_I | PTE_P
                nx_check "3A 4.6", "a fetch from a page with XD at CPL 3: #PF(I U P)", 0x80000000, 7, u32, PF_I | PF_U | PTE_P
                nx_check "3A 4.7", "a fetch from a missing page: #PF(I)", 0, 0, k32, PF_I
                nx_check "3A 4.7", "a fetch from a supervisor page at CPL 3: #PF(I U P)", 0, 3, u32, PF_I | PF_U | PTE_P
                check   "3A 4.6", "reading and writing a page with XD"
                call    pae_identity
                mov     dword [pae_pte(4) + 4], 0x80000000
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(4)
                try     u32
                mov     eax, [ebx]
                mov     [ebx], eax
                yrt
                nxe     0
                check   "3A 4.7", "a data fault has no I bit with NXE"
                call    pae_identity
                mov     dword [pae_pte(4)], 0
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(4)
                expect  PF, PF_U | PF_W
                try     u32
                mov     [ebx], eax
                yrt
                nxe     0
                check   "3A 4.6", "an instruction that goes on in a page with XD: EIP its start, CR2 the page"
                call    pae_identity
                mov     dword [pae_pte(5) + 4], 0x80000000
                mov     byte [at_page(5) - 1], 0xB8 ; MOV EAX, imm32
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(5) - 1
                expect  PF, PF_I | PTE_P, at_page(5) - 1
                cr2_is  at_page(5)
                try     k32
                jmp     ebx
                yrt
                nxe     0
                check   "3A 4.7", "a fetch through bit 63 without NXE: #PF(RSVD P), no I bit"
                call    pae_identity
                mov     dword [pae_pte(4) + 4], 0x80000000
                call    pae_on
                mov     ebx, at_page(4)
                expect  PF, PF_RSVD | PTE_P, at_page(4)
                cr2_is  at_page(4)
                try     k32
                jmp     ebx
                yrt
                check   "3A 4.6", "XD in a directory entry that leads to a table"
                call    pae_identity
                mov     dword [PAE_PD + 8], PAE_PT + 7
                mov     dword [PAE_PD + 12], 0x80000000
                mov     word [at_page(4)], 0x30CD
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(4) + 0x200000
                expect  PF, PF_I | PF_U | PTE_P, at_page(4) + 0x200000
                try     u32
                jmp     ebx
                yrt
                nxe     0
                check   "3A 4.6", "XD in the directory entry"
                call    pae_identity
                mov     dword [PAE_PD + 12], 0x80000000
                mov     word [at_page(4)], 0x30CD
                call    pae_on
                nxe     EFER_NXE
                mov     ebx, at_page(4) + 0x200000
                expect  PF, PF_I | PTE_P, at_page(4) + 0x200000
                try     k32
                jmp     ebx
                yrt
                nxe     0
                end_when
                end_when
                ret
