; Text output for 32-bit code: the counterpart of screen.asm, with the same colours, cursor and
; conventions.

                cpu     386
                bits    32
section .text

; Print the text at ESI. All registers are preserved, here and below.
print32:        pushad
.next:          lodsb
                or      al, al
                jz      .end
                cmp     al, 7
                jbe     .colour
                call    print32_char
                jmp     .next
.colour:        movzx   ebx, al
                mov     al, [colours - 1 + ebx]
                mov     [attribute], al
                jmp     .next
.end:           popad
                ret

; Print the character AL, or start a new line if it is NL.
print32_char:   pushad
                movzx   edi, word [cursor]
                cmp     al, NL
                je      .line
                mov     ah, [attribute]
                mov     [0xB8000 + edi], ax
                add     edi, 2
                jmp     .end
.line:          mov     eax, edi
                xor     edx, edx
                mov     ecx, ROW_BYTES
                div     ecx
                inc     eax
                mul     ecx
                lea     edi, [eax + LEFT * 2]
                mov     byte [attribute], A_TEXT
.end:           mov     [cursor], di
                popad
                ret

; Print EAX, AX or AL in hexadecimal.
print32_hex:    rol     eax, 16
                call    print32_hex16
                rol     eax, 16
print32_hex16:  rol     ax, 8
                call    print32_hex8
                rol     ax, 8
print32_hex8:   ror     al, 4
                call    .digit
                ror     al, 4
.digit:         push    eax
                and     al, 0x0F
                cmp     al, 10
                jb      .print
                add     al, 'A' - 10 - '0'
.print:         add     al, '0'
                call    print32_char
                pop     eax
                ret
