; Text to the debug ports and COM1; checks' names and verdicts.

COM1            equ     0x3F8

serial_init:    mov     dx, COM1 + 3
                mov     al, 0x83                ; 8N1, divisor
                out     dx, al
                mov     dx, COM1
                mov     al, 1
                out     dx, al
                inc     edx
                mov     al, 0
                out     dx, al
                mov     dx, COM1 + 3
                mov     al, 0x03
                out     dx, al
                ret

; AL. Preserves all registers.
put_char:       pushad
                out     0xE9, al
                mov     dx, 0x402
                out     dx, al
                mov     ah, al
                mov     dx, COM1 + 5
                mov     ecx, 0x10000
.wait:          in      al, dx
                test    al, 0x20
                loopz   .wait
                mov     al, ah
                mov     dx, COM1
                out     dx, al
                popad
                ret

; ESI.
put_text:       push    eax
.next:          mov     al, [esi]
                inc     esi
                test    al, al
                jz      .end
                call    put_char
                jmp     .next
.end:           pop     eax
                ret

; EAX in eight digits.
put_hex:        push    ecx
                mov     ecx, 8
.digit:         rol     eax, 4
                push    eax
                and     al, 15
                cmp     al, 10
                sbb     al, 0x69                ; the classic: digits to ASCII
                das
                call    put_char
                pop     eax
                loop    .digit
                pop     ecx
                ret

put_decimal:    pushad
                mov     ebx, 10
                xor     ecx, ecx
.divide:        xor     edx, edx
                div     ebx
                push    edx
                inc     ecx
                test    eax, eax
                jnz     .divide
.digit:         pop     eax
                add     al, '0'
                call    put_char
                loop    .digit
                popad
                ret

put_line:       push    eax
                mov     al, 10
                call    put_char
                pop     eax
                ret

; Ends the check that is running: its line.
flush_check:    pushad
                cmp     dword [current], 0
                je      .end
                cmp     dword [failure.what], 0
                jne     .failed
                inc     dword [PERSIST + persist.passed]
                mov     esi, .ok
                call    put_text
                mov     esi, [current]
                call    put_text
                jmp     .line
.failed:        inc     dword [PERSIST + persist.failed]
                mov     esi, .fail
                call    put_text
                mov     esi, [current]
                call    put_text
                mov     esi, .open
                call    put_text
                mov     esi, [failure.what]
                call    put_text
                mov     eax, [failure.line]
                test    eax, eax
                jz      .values
                call    put_decimal
.values:        mov     esi, .got
                call    put_text
                mov     eax, [failure.got]
                call    put_hex
                mov     esi, .wanted
                call    put_text
                mov     eax, [failure.want]
                call    put_hex
                mov     esi, .vector
                call    put_text
                mov     eax, [after + regs.vector]
                call    put_hex
                mov     al, '/'
                call    put_char
                mov     eax, [after + regs.error]
                call    put_hex
                mov     al, '@'
                call    put_char
                mov     eax, [after + regs.eip]
                call    put_hex
                mov     al, ']'
                call    put_char
.line:          call    put_line
.end:           mov     dword [current], 0
                popad
                ret
.ok:            db      "ok   ", 0
.fail:          db      "FAIL ", 0
.open:          db      " [", 0
.got:           db      ": got ", 0
.wanted:        db      ", want ", 0
.vector:        db      "; last event ", 0

begin_subject:  call    flush_check
                call    skipping
                jb      .end
                mov     esi, .dashes
                call    put_text
                mov     esi, [esp + 4]
                call    put_text
                call    put_line
.end:           ret     4
.dashes:        db      "-- ", 0

print_total:    mov     eax, [PERSIST + persist.passed]
                call    put_decimal
                mov     esi, .passed
                call    put_text
                mov     eax, [PERSIST + persist.failed]
                call    put_decimal
                mov     esi, .failed
                jmp     put_text
.passed:        db      " passed, ", 0
.failed:        db      " failed", 10, 0

section .data
current:        dd      0
failure:
.what:          dd      0
.line:          dd      0
.got:           dd      0
.want:          dd      0
features:       dd      0
section .text
