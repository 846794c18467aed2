; Lesson 3: interrupt handlers of our own for the timer (IRQ 0) and the keyboard (IRQ 1).
; 8086 instructions only.

                cpu     8086
                bits    16
section .text

VECTOR_IRQ0     equ     8 * 4                   ; the BIOS maps IRQ 0-7 to interrupts 8-15; 4 bytes a vector
VECTOR_IRQ1     equ     9 * 4
PIC_COMMAND     equ     0x20
PIC_EOI         equ     0x20
PIT_CHANNEL0    equ     0x40
PIT_COMMAND     equ     0x43
KBD_DATA        equ     0x60
DIVISOR_100HZ   equ     11932                   ; 1193182 Hz / 100
SCAN_ESC_UP     equ     0x81                    ; Esc is key 1; bit 7 set: released
QUEUE_SIZE      equ     16                      ; a power of two
KEY_ROW         equ     15                      ; where the scan codes are listed
KEY_LINES       equ     5
KEY_COLUMNS     equ     4

lesson3:        lesson_page 3, "Timer and keyboard interrupts"
                call    lesson3_intro
                call    lesson3_install
                call    lesson3_vectors
                say_at  14, LEFT, H, "4 ", W, "Press and release some keys", T, ", then ", W, "Esc", T, " to end the lesson:", NL
                mov     si, .running
                call    status_bar
.wait:          hlt                             ; every interrupt wakes us: ours, 100 times a second
                call    show_ticks
                call    show_keys
                cmp     byte [esc_seen], 0
                je      .wait
                call    lesson3_restore
                say_at  21, LEFT, H, "5 ", T, "Restored: IRQ 0 at ", K
                mov     ax, [VECTOR_IRQ0]
                mov     dx, [VECTOR_IRQ0 + 2]
                call    print_far
                say     T, ", IRQ 1 at ", K
                mov     ax, [VECTOR_IRQ1]
                mov     dx, [VECTOR_IRQ1 + 2]
                call    print_far
                say     T, ", timer at 18.2 Hz again."
                mov     si, .done
                jmp     page_end
section .data
.running:       db      " Our own interrupt handlers are running     Esc: end", 0
.done:          db      G, "LESSON 3 DONE", 0
section .text

lesson3_intro:  say     T, "A device interrupts the processor through the interrupt controller (8259);", NL
                say     "the processor finds the handler's address in the table at 0000:0000.", NL, NL
                say     H, "1 ", W, "Timer", T, ": channel 0 of the 8254 counts down at 1193182 Hz. ", K, "OUT 43h, 34h", T, " and", NL
                say     "  the divisor ", K, "11932", T, " in port 40h: 100 interrupts a second instead of 18.2.", NL
                say     H, "2 ", W, "Handlers", T, ": save registers, do little, ", K, "OUT 20h, 20h", T, " (end of interrupt), ", K, "IRET", T, ".", NL
                ret

; Point both vectors at our handlers and speed up the timer; nothing may come in half way.
lesson3_install:
                xor     ax, ax
                mov     [ticks], ax
                mov     [bios_debt], ax
                mov     [queue_in], al
                mov     [queue_out], al
                mov     [keys_shown], ax
                mov     [esc_seen], al
                cli
                mov     ax, [VECTOR_IRQ0]
                mov     [old_irq0], ax
                mov     ax, [VECTOR_IRQ0 + 2]
                mov     [old_irq0 + 2], ax
                mov     ax, [VECTOR_IRQ1]
                mov     [old_irq1], ax
                mov     ax, [VECTOR_IRQ1 + 2]
                mov     [old_irq1 + 2], ax
                mov     word [VECTOR_IRQ0], timer_handler
                mov     [VECTOR_IRQ0 + 2], cs
                mov     word [VECTOR_IRQ1], keyboard_handler
                mov     [VECTOR_IRQ1 + 2], cs
                mov     ax, DIVISOR_100HZ
                call    set_timer
                sti
                ret

lesson3_restore:
                cli
                mov     ax, [old_irq0]
                mov     [VECTOR_IRQ0], ax
                mov     ax, [old_irq0 + 2]
                mov     [VECTOR_IRQ0 + 2], ax
                mov     ax, [old_irq1]
                mov     [VECTOR_IRQ1], ax
                mov     ax, [old_irq1 + 2]
                mov     [VECTOR_IRQ1 + 2], ax
                xor     ax, ax                  ; 0 counts as 65536: 18.2 Hz
                call    set_timer
                sti
                ret

; Channel 0, low byte then high byte, mode 2 (rate generator), binary; divisor AX.
set_timer:      push    ax
                mov     al, 0x34
                out     PIT_COMMAND, al
                pop     ax
                out     PIT_CHANNEL0, al
                mov     al, ah
                out     PIT_CHANNEL0, al
                ret

; IRQ 0. The BIOS keeps the time of day and the floppy motor from this interrupt and expects it
; every 65536 clocks, so we add up the clocks that we used and call the old handler whenever they
; overflow 16 bits.
timer_handler:  push    ax
                push    ds
                xor     ax, ax
                mov     ds, ax
                inc     word [ticks]
                add     word [bios_debt], DIVISOR_100HZ
                jc      .bios
                mov     al, PIC_EOI
                out     PIC_COMMAND, al
                pop     ds
                pop     ax
                iret
.bios:          pushf                           ; an INT by hand: FLAGS, then a far call
                call    far [old_irq0]          ; it sends the end of interrupt itself
                pop     ds
                pop     ax
                iret

; IRQ 1. The keyboard controller holds one byte until it is read.
keyboard_handler:
                push    ax
                push    bx
                push    ds
                xor     ax, ax
                mov     ds, ax
                in      al, KBD_DATA
                mov     bl, [queue_in]
                xor     bh, bh
                mov     [queue + bx], al
                inc     bl
                and     bl, QUEUE_SIZE - 1
                mov     [queue_in], bl
                mov     al, PIC_EOI
                out     PIC_COMMAND, al
                pop     ds
                pop     bx
                pop     ax
                iret

lesson3_vectors:
                say     H, "3 ", W, "Vectors", T, ": IRQ 0 was ", K
                mov     ax, [old_irq0]
                mov     dx, [old_irq0 + 2]
                call    print_far
                say     T, ", now ", G
                mov     ax, [VECTOR_IRQ0]
                mov     dx, [VECTOR_IRQ0 + 2]
                call    print_far
                say     T, ";", NL, "             IRQ 1 was ", K
                mov     ax, [old_irq1]
                mov     dx, [old_irq1 + 2]
                call    print_far
                say     T, ", now ", G
                mov     ax, [VECTOR_IRQ1]
                mov     dx, [VECTOR_IRQ1 + 2]
                call    print_far
                say     NL
                ret

; Number of ticks, seconds, and a block that runs once along its track every second.
show_ticks:     say_at  11, LEFT + 2, T, "Ticks: ", G
                mov     ax, [ticks]
                call    print_dec
                say     T, "   seconds: ", G
                xor     dx, dx
                mov     cx, 100
                div     cx
                call    print_dec
                push    dx
                say     "  "
                push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     di, cell(12, LEFT + 2)
                mov     ax, (0x18 << 8) | 0xC4  ; a line
                mov     cx, 50
                rep     stosw
                pop     ax                      ; the saved ES
                pop     bx                      ; ticks within the second
                and     bl, 0xFE                ; two ticks a column, two bytes a column
                mov     word [es:cell(12, LEFT + 2) + bx], (0x1A << 8) | 0xDB
                mov     es, ax
                ret

; Take scan codes out of the queue and list them.
show_keys:      mov     bl, [queue_out]
                cmp     bl, [queue_in]
                je      .end
                xor     bh, bh
                mov     al, [queue + bx]
                inc     bl
                and     bl, QUEUE_SIZE - 1
                mov     [queue_out], bl
                call    show_key
                jmp     show_keys
.end:           ret

; List scan code AL. When the list is full, it starts again at its top.
show_key:       cmp     al, SCAN_ESC_UP
                jne     .place
                inc     byte [esc_seen]
.place:         push    ax
                mov     ax, [keys_shown]
                inc     word [keys_shown]
                xor     dx, dx
                mov     cx, KEY_LINES * KEY_COLUMNS
                div     cx
                mov     ax, dx                  ; place in the list
                xor     dx, dx
                mov     cx, KEY_LINES
                div     cx                      ; AX = column, DX = line
                mov     bx, dx
                mov     cx, 19 * 2
                mul     cx
                mov     di, ax
                mov     ax, ROW_BYTES
                mul     bx
                add     di, ax
                add     di, cell(KEY_ROW, LEFT + 2)
                mov     [cursor], di
                pop     ax
                say     G
                call    print_hex8
                test    al, 0x80
                jnz     .up
                say     W, " pressed  "
                jmp     .name
.up:            say     D, " released "
.name:          and     al, 0x7F
                mov     bl, al
                xor     bh, bh
                cmp     bl, key_names_end - key_names
                jae     .unknown
                mov     al, [key_names + bx]
                jmp     .print
.unknown:       mov     al, ' '
.print:         call    print_char
                ret

section .data
key_names:      db      "  1234567890-=  QWERTYUIOP[]  ASDFGHJKL;'` \ZXCVBNM,./ *"
key_names_end:

section .bss
old_irq0:       resw    2
old_irq1:       resw    2
ticks:          resw    1
bios_debt:      resw    1                       ; clocks that the BIOS has not been told of yet
queue:          resb    QUEUE_SIZE
queue_in:       resb    1
queue_out:      resb    1
keys_shown:     resw    1
esc_seen:       resb    1
