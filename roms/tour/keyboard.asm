; Waiting for a key. 8086 instructions only.

                cpu     8086
                bits    16
section .text

; Wait for a key; AL = ASCII code, AH = scan code. Sleeps between looks, so that waiting costs
; nothing: the timer interrupt ends every HLT after at most 55 ms, even if the key came just before
; it.
get_key:        call    key_waiting
                jnz     .take
                hlt
                jmp     get_key
.take:          xor     ah, ah                  ; INT 16h AH=0: take the key out of the BIOS buffer
                int     0x16
                ret

; ZF=0 if a key is waiting.
key_waiting:    sti
                mov     ah, 1                   ; INT 16h AH=1: look without taking
                int     0x16
                ret
