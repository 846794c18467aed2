; Lesson 5: paging. Page tables, accessed and dirty bits, a page fault handled and the instruction
; retried.

                cpu     386
                bits    16
section .text

PAGE_DIRECTORY  equ     0x20000                 ; physical addresses, all in conventional memory
TABLE_LOW       equ     0x21000                 ; maps linear 00000000-003FFFFF
TABLE_HIGH      equ     0x22000                 ; maps linear 00400000-007FFFFF
FRAME_A         equ     0x30000
FRAME_B         equ     0x31000
PAGE_A          equ     0x00400000              ; linear: mapped from the start
PAGE_B          equ     0x00403000              ; linear: mapped by the fault handler

PTE_PRESENT     equ     0x01
PTE_WRITE       equ     0x02
PTE_A           equ     TABLE_HIGH + 0          ; the entries of the two pages in TABLE_HIGH
PTE_B           equ     TABLE_HIGH + 3 * 4
TEST_VALUE      equ     0x12345678

lesson5:        lesson_page 5, "Paging and a page fault"
                mov     di, '5'
                call    need_386
                jz      .end
                call    lesson5_intro
                mov     eax, lesson5_32
                call    run_protected
                say     H, "6 ", T, "Paging off (", K, "PG", T, " and ", K, "PE", T, " cleared in ", K, "CR0", T, "): ", G, "real mode again.", NL
                mov     si, .done
                jmp     page_end
.end:           ret
section .data
.done:          db      G, "LESSON 5 DONE", 0
section .text

lesson5_intro:  say     T, "With paging on, every address is looked up in tables, 4 KB at a time.", NL
                say     H, "1 ", W, "The tables", T, ": a page directory at ", K, "00020000", T, " points to two page tables.", NL
                say     "  Table at ", K, "00021000", T, ": linear 00000000-003FFFFF = the same physical addresses.", NL
                say     "  Table at ", K, "00022000", T, ": linear 00400000 = frame 00030000; all else not present.", NL
                ret

                bits    32
lesson5_32:     call    build_tables
                mov     dword [fault_hook], lesson5_fault
                mov     eax, PAGE_DIRECTORY
                mov     cr3, eax
                mov     eax, cr0
                or      eax, CR0_PG
                mov     cr0, eax
                jmp     .paged                  ; the 386 wants a jump after the switch
.paged:         say32   H, "2 ", W, "Paging on", T, ": ", K, "MOV CR3", T, ", then bit 31 (PG) of CR0. CR3=", G
                mov     eax, cr3
                call    print32_hex
                say32   T, " CR0=", G
                mov     eax, cr0
                call    print32_hex
                say32   NL
                call    show_accessed_dirty
                call    touch_missing_page
                mov     eax, cr0                ; the code runs in an identity-mapped page, so this is safe
                and     eax, ~CR0_PG
                mov     cr0, eax
                jmp     .unpaged
.unpaged:       xor     eax, eax
                mov     cr3, eax                ; forgets all translations
                ret

build_tables:   mov     edi, PAGE_DIRECTORY     ; all three tables start empty
                xor     eax, eax
                mov     ecx, 3 * 1024
                rep     stosd
                mov     dword [PAGE_DIRECTORY + 0], TABLE_LOW | PTE_WRITE | PTE_PRESENT
                mov     dword [PAGE_DIRECTORY + 4], TABLE_HIGH | PTE_WRITE | PTE_PRESENT
                mov     edi, TABLE_LOW
                mov     eax, PTE_WRITE | PTE_PRESENT
                mov     ecx, 1024
.entry:         stosd
                add     eax, 0x1000
                loop    .entry
                mov     dword [PTE_A], FRAME_A | PTE_WRITE | PTE_PRESENT
                ret

; The processor itself notes in the entry that a page was read (A, bit 5) and written (D, bit 6).
show_accessed_dirty:
                say32   H, "3 ", W, "Accessed and dirty", T, ": the table entry of linear 00400000:", NL
                say32   "  before ", G
                call    .entry
                mov     eax, [PAGE_A]
                say32   T, "   after a read ", G
                call    .entry
                mov     dword [PAGE_A], TEST_VALUE
                say32   T, "   after a write ", G
                call    .entry
                say32   NL, "  The processor itself sets bit 5 (20, accessed) and bit 6 (40, dirty).", NL
                ret
.entry:         mov     eax, [PTE_A]
                jmp     print32_hex

touch_missing_page:
                say32   H, "4 ", W, "A page that is not there", T, ": ", K, "MOV [00403000], EAX", T, " with EAX=12345678.", NL
                mov     eax, TEST_VALUE
                mov     [PAGE_B], eax           ; faults; runs again after the handler has mapped the page
                say32   H, "5 ", W, "The same instruction ran again", T, ", now well. Linear 00403000 holds ", G
                mov     eax, [PAGE_B]
                call    print32_hex
                say32   T, ",", NL, "  and so does physical 00031000: ", G
                mov     eax, [FRAME_B]
                call    print32_hex
                say32   T, ". The entry is now ", G
                mov     eax, [PTE_B]
                call    print32_hex
                say32   T, ".", NL
                ret

; Exception hook: the only fault expected is the one at PAGE_B. Map the page and return to the same
; instruction.
lesson5_fault:  cmp     byte [ebp + frame.vector], VECTOR_PF
                jne     unexpected_exception
                mov     eax, cr2
                cmp     eax, PAGE_B
                jne     unexpected_exception
                say32   B, "  #PF", T, " (exception 14): CR2=", B
                call    print32_hex
                say32   T, " error code ", B
                mov     eax, [ebp + frame.error]
                call    print32_hex
                say32   T, " EIP=", K
                mov     eax, [ebp + frame.eip]
                call    print32_hex
                say32   NL, "  Error code: bit 0 = "
                test    byte [ebp + frame.error], 1
                say32_if nz, "1, protection; ", "0, not present; "
                say32   "bit 1 = "
                test    byte [ebp + frame.error], 2
                say32_if nz, "1, a write; ", "0, a read; "
                say32   "bit 2 = "
                test    byte [ebp + frame.error], 4
                say32_if nz, "1, user.", "0, ring 0."
                say32   NL, "  The handler maps the page to frame 00031000 and returns with ", K, "IRETD", T, "...", NL
                mov     dword [PTE_B], FRAME_B | PTE_WRITE | PTE_PRESENT
                mov     eax, cr3                ; some processors might remember "not present"
                mov     cr3, eax
                ret
                bits    16
