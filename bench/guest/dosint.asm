; dosint: integer arithmetic in real mode: a linear congruence, divisions, a bit count, a table, calls.
                org     100h
                mov     bp, 40          ; rounds
round:          mov     cx, 50000
next:           call    random          ; AX
                mov     bx, ax
                and     bx, 1FEh
                add     [table+bx], cx
                xor     dx, dx
                mov     si, cx
                or      si, 1
                div     si
                add     [sum], dx
                mov     dx, [seed]
                xor     ax, ax
.bits:          shr     dx, 1
                adc     al, ah
                or      dx, dx
                jnz     .bits
                add     [sum+2], ax
                loop    next
                dec     bp
                jnz     round
                mov     ax, 4C00h
                int     21h

random:         push    cx
                mov     ax, [seed]
                mov     cx, 25173
                mul     cx
                add     ax, 13849
                mov     [seed], ax
                pop     cx
                ret

seed:           dw      1
sum:            dw      0, 0
table:          times 256 dw 0
