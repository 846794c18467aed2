; Lesson 4: switch to protected mode, see descriptor checks fail, come back.

                cpu     386
                bits    16
section .text

lesson4:        lesson_page 4, "Protected mode and back"
                mov     di, '4'
                call    need_386
                jz      .end
                call    lesson4_intro
                mov     eax, lesson4_32
                call    run_protected
                call    lesson4_back
                mov     si, .done
                jmp     page_end
.end:           ret
section .data
.done:          db      G, "LESSON 4 DONE", 0
section .text

lesson4_intro:  say     H, "1 ", W, "A table of segments", T, ". A segment register now holds a selector: the place of", NL
                say     "  a descriptor in the GDT (global descriptor table). Ours, at ", K
                mov     dx, ds
                mov     ax, gdt
                call    print_far
                say     T, ":", NL
                say     D, "    08 ", T, "code 32-bit  base 00000000  4 GB   ", D, "18 ", T, "code 16-bit  base 0  64 KB", NL
                say     D, "    10 ", T, "data         base 00000000  4 GB   ", D, "20 ", T, "data         base 0  64 KB", NL
                say     D, "    28 ", T, "data         base 000B8000  160 bytes: the top row of this screen", NL
                say     H, "2 ", W, "The switch", T, ": ", K, "CLI", T, "; ", K, "LGDT", T, " and ", K, "LIDT", T
                say     " load the tables; ", K, "MOV CR0", T, " sets bit 0 (PE);", NL
                say     "  a far jump to ", K, "08:", T, " loads CS with the 32-bit code descriptor.", NL
                ret

                bits    32
lesson4_32:     say32   H, "3 ", G, "Hello from 32-bit protected mode!", T, "  CR0=", G
                mov     eax, cr0
                call    print32_hex
                say32   T, " CS=", G
                mov     eax, cs
                call    print32_hex16
                say32   T, " ESP=", G
                mov     eax, esp
                call    print32_hex
                say32   NL
                mov     dword [fault_hook], lesson4_fault

                say32   H, "4 ", W, "Inside the limit", T, ": ES=28, write at ES:9E, the last cell of the row. "
                mov     eax, SEL_ROW
                mov     es, eax
                mov     word [es:ROW_BYTES - 2], (A_BAR << 8) | 0x04
                say32   G, "Done", T, ".", NL

                say32   H, "5 ", W, "Beyond the limit", T, ": ES=28, write at ES:A0, two bytes further. It must fail:", NL
                mov     dword [fault_resume], .after_limit
                mov     word [es:ROW_BYTES], (A_TEXT << 8) | ' '
                say32   B, "  It went through: the machine below us does not check limits.", NL
.after_limit:   mov     eax, ds
                mov     es, eax

                say32   H, "6 ", W, "No such descriptor", T, ": MOV GS, 48h, but the GDT ends at 37h. It must fail:", NL
                mov     dword [fault_resume], .after_missing
                mov     eax, SEL_MISSING
                mov     gs, eax
                say32   B, "  It went through: the machine below us does not check selectors.", NL
.after_missing: ret

; Exception hook: report and go on where the lesson wants to.
lesson4_fault:  cmp     byte [ebp + frame.vector], VECTOR_GP
                jne     unexpected_exception
                say32   B, "  #GP", T, " (exception 13) reached our handler: error code ", B
                mov     eax, [ebp + frame.error]
                call    print32_hex
                say32   T, " at ", K
                mov     eax, [ebp + frame.cs]
                call    print32_hex16
                say32   ":"
                mov     eax, [ebp + frame.eip]
                call    print32_hex16
                say32   NL
                cmp     dword [ebp + frame.error], 0
                je      .zero
                say32   "  The error code is the selector that was refused.", NL
                jmp     .resume
.zero:          say32   "  Error code 0: the descriptor was fine, its use was not.", NL
.resume:        mov     eax, [fault_resume]
                mov     [ebp + frame.eip], eax
                ret

                bits    16
lesson4_back:   say     H, "7 ", W, "Back", T, ": a far jump to ", K, "18:", T, " (16-bit code), selector ", K, "20", T
                say     " into DS, ES and SS,", NL
                say     "  PE cleared, a far jump to ", K, "0000:", T, ". CR0 now ends in "
                smsw    ax
                say     G
                call    print_hex16
                say     T, ": ", G, "real mode again.", NL
                ret

section .bss
fault_resume:   resd    1                       ; where to go on after an expected fault
