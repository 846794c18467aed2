; A triple fault resets the machine (SDM 3A 6.15 #DF: shutdown; the chipset answers it with a reset).
; The check's verdict comes after the reset, from after_reset.

triple:         subject "triple fault"
                check   "3A 6.15 #DF", "a fault while delivering #DF: the machine is reset"
                mov     dword [PERSIST + persist.expected], 1
                mov     word [idtr], 0
                lidt    [idtr]
                expect  ANY
                try     k32
                ud2
                yrt
                mov     dword [PERSIST + persist.expected], 0
                is      [current], 0            ; (never here but when this check is over)

                check   "3A 6.15 #DF", "the #DF gate is not present: the machine is reset"
                mov     dword [PERSIST + persist.expected], 1
                mov     dword [idt_at(GP) + 4], 0
                mov     dword [idt_at(DF_) + 4], 0
                mov     eax, BEYOND
                expect  ANY
                try     k32
                mov     ds, ax
                yrt
                mov     dword [PERSIST + persist.expected], 0
                is      [current], 0            ; (never here but when this check is over)
                ret
