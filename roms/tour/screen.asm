; Text output for 16-bit code: pages, bars, texts with colours, numbers. 8086 instructions only.
;
; All of it writes character and attribute cells straight into video memory at B800:0000, as lesson
; 1 explains. print32.asm does the same for 32-bit code and shares `cursor` and `attribute`, so a
; page can be written from both.

                cpu     8086
                bits    16
section .text

; Clear the screen and draw the title bar with the text at SI; the cursor goes to row 2.
page_begin:     push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                xor     di, di
                mov     ax, (A_BAR << 8) | ' '
                mov     cx, 80
                rep     stosw
                mov     ax, (A_TEXT << 8) | ' '
                mov     cx, 23 * 80
                rep     stosw
                mov     ax, (A_BAR << 8) | ' '
                mov     cx, 80
                rep     stosw
                pop     es
                xor     di, di
                mov     ah, A_BAR
                call    bar_text
                mov     si, .name
                mov     di, cell(0, 80 - 36)
                mov     ah, A_BAR_DIM
                call    bar_text
                call    hide_cursor
                mov     byte [attribute], A_TEXT
                mov     word [cursor], cell(2, LEFT)
                ret
section .data
.name:          db      "how a PC works, one step at a time ", 0
section .text

; Print the text at SI in the bar at the bottom of the screen.
status_bar:     push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     di, cell(24, 0)
                mov     ax, (A_BAR << 8) | ' '
                mov     cx, 80
                rep     stosw
                pop     es
                mov     di, cell(24, 0)
                ; falls through

; Copy the text at SI to the screen at offset DI with attribute AH.
bar_text:       push    es
                mov     bx, VIDEO_SEG
                mov     es, bx
.next:          lodsb
                or      al, al
                jz      .end
                stosw
                jmp     .next
.end:           pop     es
                ret

; The hardware cursor below the last line is nowhere to be seen.
hide_cursor:    mov     ah, 2
                xor     bh, bh
                mov     dx, 0x1900              ; row 25
                int     0x10
                ret

; End of a lesson: SI = its "LESSON n DONE" text. Waits for a key.
page_end:       mov     word [cursor], cell(23, LEFT)
                call    print
page_end_key:   mov     si, .keys
                call    status_bar
                jmp     get_key
section .data
.keys:          db      " Press any key to return to the menu", 0
section .text

; Print the text at SI. Bytes 1 to 7 choose a colour, NL starts a new line in the ordinary colour, 0
; ends.
print:          push    ax
                push    bx
                push    si
                cld
.next:          lodsb
                or      al, al
                jz      .end
                cmp     al, 7
                jbe     .colour
                call    print_char
                jmp     .next
.colour:        mov     bl, al
                xor     bh, bh
                mov     al, [colours - 1 + bx]
                mov     [attribute], al
                jmp     .next
.end:           pop     si
                pop     bx
                pop     ax
                ret

; Print the character AL, or start a new line if it is NL.
print_char:     push    ax
                push    di
                mov     di, [cursor]
                cmp     al, NL
                je      .line
                push    es
                mov     ah, [attribute]
                push    ax
                mov     ax, VIDEO_SEG
                mov     es, ax
                pop     ax
                mov     [es:di], ax
                pop     es
                add     di, 2
                jmp     .end
.line:          push    dx
                push    cx
                mov     ax, di
                xor     dx, dx
                mov     cx, ROW_BYTES
                div     cx                      ; AX = row
                inc     ax
                mul     cx
                add     ax, LEFT * 2
                mov     di, ax
                mov     byte [attribute], A_TEXT
                pop     cx
                pop     dx
.end:           mov     [cursor], di
                pop     di
                pop     ax
                ret

; Print AX in hexadecimal, four digits.
print_hex16:    xchg    al, ah
                call    print_hex8
                xchg    al, ah
                ; falls through

; Print AL in hexadecimal, two digits.
print_hex8:     push    ax
                push    cx
                mov     ah, al
                mov     cl, 4
                shr     al, cl
                call    .digit
                mov     al, ah
                and     al, 0x0F
                call    .digit
                pop     cx
                pop     ax
                ret
.digit:         cmp     al, 10
                jb      .print
                add     al, 'A' - 10 - '0'
.print:         add     al, '0'
                jmp     print_char

; Print DX:AX as segment:offset.
print_far:      push    ax
                mov     ax, dx
                call    print_hex16
                mov     al, ':'
                call    print_char
                pop     ax
                jmp     print_hex16

; Print AX in decimal.
print_dec:      push    ax
                push    cx
                push    dx
                xor     dx, dx
                mov     cx, 10
                div     cx
                or      ax, ax
                jz      .digit
                call    print_dec
.digit:         mov     al, dl
                add     al, '0'
                call    print_char
                pop     dx
                pop     cx
                pop     ax
                ret

; Give the text colours softer shades than the original RGBI ones: INT 10h AX=1010h sets one DAC
; register.
set_palette:    mov     si, palette
.next:          lodsb                           ; DAC register; text colours 8-15 use registers 38h-3Fh
                cmp     al, 0xFF
                je      .end
                mov     bl, al
                xor     bh, bh
                lodsb
                mov     dh, al                  ; red, green, blue, 6 bits each
                lodsb
                mov     ch, al
                lodsb
                mov     cl, al
                push    si
                mov     ax, 0x1010
                int     0x10
                pop     si
                jmp     .next
.end:           ret

section .data
colours:        db      A_TEXT, 0x1E, 0x1B, 0x1A, 0x1C, 0x18, 0x1F
palette:        db      0x01,  3,  7, 14                ; navy: page
                db      0x03,  6, 26, 42                ; blue: bars
                db      0x07, 50, 53, 56                ; text
                db      0x38, 28, 35, 44                ; dim
                db      0x3A, 33, 56, 28                ; green
                db      0x3B, 34, 54, 62                ; light blue: code
                db      0x3C, 63, 31, 27                ; red
                db      0x3E, 63, 50, 20                ; amber
                db      0xFF

section .bss
cursor:         resw    1                       ; offset of the next cell in video memory
attribute:      resb    1                       ; its colours
