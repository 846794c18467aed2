; dosstr: string instructions in real mode, in memory and, moving whole screens, in the text buffer.
                org     100h
                mov     ax, cs
                add     ax, 1000h       ; the 64 KiB after the program
                mov     ds, ax
                mov     es, ax
                mov     bp, 200         ; rounds
                cld
round:          xor     di, di          ; fill, move, compare, search 32 KiB
                mov     cx, 4000h
                mov     ax, bp
                rep     stosw
                xor     si, si
                mov     di, 8000h
                mov     cx, 4000h
                rep     movsw
                xor     si, si
                mov     di, 8000h
                mov     cx, 8000h
                repe    cmpsb
                xor     di, di
                mov     cx, 8000h
                mov     al, 0FFh
                repne   scasb
                mov     cx, 2000h       ; a copy by single steps
                xor     si, si
                mov     di, 8000h
.copy:          lodsb
                inc     al
                stosb
                loop    .copy
                mov     bx, 10          ; scroll the text screen by a line, and back
                push    ds
                push    es
                mov     ax, 0B800h
                mov     ds, ax
                mov     es, ax
.scroll:        mov     si, 160
                xor     di, di
                mov     cx, 24 * 80
                rep     movsw
                dec     bx
                jnz     .scroll
                pop     es
                pop     ds
                dec     bp
                jnz     round
                mov     ax, 4C00h
                int     21h
