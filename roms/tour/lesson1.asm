; Lesson 1: hello from real mode. The BIOS prints, then we write to video memory ourselves.
; 8086 instructions only.

                cpu     8086
                bits    16
section .text

lesson1:        lesson_page 1, "Hello from real mode"
                call    lesson1_bios
                call    lesson1_bios_colour
                call    lesson1_direct
                call    lesson1_rainbow
                mov     si, .done
                jmp     page_end
section .data
.done:          db      G, "LESSON 1 DONE", 0
section .text

; Step 1: the teletype function advances the cursor by itself.
lesson1_bios:   say     T, "In real mode an address is segment * 16 + offset, 1 MB in all, and nothing is", NL
                say     "protected from anything. The BIOS is a library of routines in ROM.", NL, NL
                say     H, "1 ", W, "Ask the BIOS", T, ": ", K, "AH=0Eh AL='H' INT 10h", T, " prints one character. "
                say     "Letter by letter:", NL
                mov     dx, (6 << 8) | 6        ; row, column
                call    lesson1_cursor
                mov     si, .text
.next:          lodsb
                or      al, al
                jz      .end
                mov     ah, 0x0E
                mov     bx, 0x000F
                int     0x10
                jmp     .next
.end:           jmp     hide_cursor
section .data
.text:          db      "Hello from INT 10h", 0
section .text

; Step 2: function 9 writes a character with its colours and leaves the cursor alone.
lesson1_bios_colour:
                say_at  8, LEFT, H, "2 ", W, "With colours", T, ": ", K, "AH=09h BL=4Fh", T
                say     " writes white on red; the cursor stays put:"
                mov     dx, (9 << 8) | 6
                mov     si, .text
.next:          call    lesson1_cursor
                lodsb
                or      al, al
                jz      .end
                mov     ah, 9
                mov     bx, 0x004F              ; page 0, attribute 4F
                mov     cx, 1                   ; once
                int     0x10
                inc     dl
                jmp     .next
.end:           jmp     hide_cursor
section .data
.text:          db      " Hello in colour from INT 10h ", 0
section .text

; Put the BIOS cursor at row DH, column DL.
lesson1_cursor: push    ax
                mov     ah, 2
                xor     bh, bh
                int     0x10
                pop     ax
                ret

; Step 3: the same without the BIOS.
lesson1_direct: say_at  11, LEFT, H, "3 ", W, "Without the BIOS", T, ": the text screen is memory at ", K, "B800:0000", T
                say     ", two bytes a cell:", NL, "  the character, then its attribute (background * 16 + foreground).", NL
                push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     di, cell(13, 6)
                mov     ah, 0x2F                ; white on green
                mov     si, .text
.next:          lodsb
                or      al, al
                jz      .read
                stosw
                jmp     .next
.read:          mov     ax, [es:cell(13, 7)]
                pop     es
                say_at  14, LEFT, T, "  Read back: the word at ", K, "B800:"
                push    ax
                mov     ax, cell(13, 7)
                call    print_hex16
                say     T, " is ", G
                pop     ax
                call    print_hex16
                say     T, ": colours 2F, character 48 = 'H'.", NL
                ret
section .data
.text:          db      " Hello from B800:0000 ", 0
section .text

; Step 4: all 16 foreground colours.
lesson1_rainbow:
                say_at  16, LEFT, H, "4 ", W, "All the colours", T, " that the low four bits can choose:", NL
                push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     di, cell(17, 6)
                mov     ax, (0x10 << 8) | 0xDB  ; a full block, colour 0 on the page's background
.colour:        mov     cx, 4
                rep     stosw
                inc     ah
                cmp     ah, 0x20
                jb      .colour
                pop     es
                say_at  19, LEFT, T, "No instruction here is newer than the 8086 of 1978.", NL
                ret
