; The start of the tour and its menu. 8086 instructions only.

                cpu     8086
                bits    16
section .text

MENU_ITEMS      equ     7                       ; lessons 1 to 6, then "halt"
MENU_ROW        equ     11                      ; screen row of the first item
MENU_WIDTH      equ     71                      ; of the mark, in cells
KEY_UP          equ     0x48                    ; scan codes, as INT 16h returns them in AH
KEY_DOWN        equ     0x50
ASCII_ENTER     equ     13
ASCII_ESC       equ     27

main:           mov     di, bss_start           ; variables start as zero
                mov     cx, bss_size
                xor     al, al
                rep     stosb
                call    detect_cpu
                mov     ax, 0x0003              ; INT 10h AH=0: 80x25 colour text
                int     0x10
                call    set_palette

menu:           call    menu_draw
.choose:        call    menu_mark
                call    get_key
                cmp     ah, KEY_UP
                je      .up
                cmp     ah, KEY_DOWN
                je      .down
                cmp     al, ASCII_ENTER
                je      .enter
                cmp     al, ASCII_ESC
                je      halt
                sub     al, '1'
                cmp     al, 6
                jb      .number
                cmp     al, '0' - '1' + 256
                jne     .choose
                mov     al, 6
.number:        mov     [menu_choice], al
.enter:         mov     bl, [menu_choice]
                xor     bh, bh
                shl     bx, 1
                call    [menu_actions + bx]
                jmp     menu
.up:            dec     byte [menu_choice]
                jns     .choose
                mov     byte [menu_choice], MENU_ITEMS - 1
                jmp     .choose
.down:          inc     byte [menu_choice]
                cmp     byte [menu_choice], MENU_ITEMS
                jb      .choose
                mov     byte [menu_choice], 0
                jmp     .choose

; Draw everything but the mark on the chosen line.
menu_draw:      mov     si, menu_title
                call    page_begin
                call    draw_banner
                say_at  MENU_ROW - 2, 8, W, "Choose a lesson", D, "   each one runs on this machine, now"
                xor     bx, bx
.item:          call    menu_item
                inc     bx
                cmp     bx, MENU_ITEMS
                jb      .item
                say_at  20, 8, D, "Processor: ", T
                call    print_cpu
                say_at  21, 8, D, "Memory:    ", T
                int     0x12                    ; KB of conventional memory in AX
                call    print_dec
                say     " KB conventional"
                mov     si, menu_keys
                jmp     status_bar

; Print item BX.
menu_item:      push    bx
                mov     ax, ROW_BYTES
                mul     bx
                add     ax, cell(MENU_ROW, 8)
                mov     [cursor], ax
                shl     bx, 1
                mov     si, [menu_texts + bx]
                call    print
                pop     bx
                ret

; Give the chosen line the bar's background and all others the page's.
menu_mark:      push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     di, cell(MENU_ROW, 6) + 1
                xor     bl, bl
.line:          mov     ah, 0x10
                cmp     bl, [menu_choice]
                jne     .plain
                mov     ah, A_BAR & 0xF0
.plain:         mov     cx, MENU_WIDTH
.attribute:     mov     al, [es:di]
                and     al, 0x0F
                or      al, ah
                stosb
                inc     di
                loop    .attribute
                add     di, ROW_BYTES - MENU_WIDTH * 2
                inc     bl
                cmp     bl, MENU_ITEMS
                jb      .line
                pop     es
                ret

; The name in big letters: a full block for each bit that is set, bit 7 leftmost.
draw_banner:    push    es
                mov     ax, VIDEO_SEG
                mov     es, ax
                mov     si, banner
                mov     di, cell(3, 8)
                mov     bx, 5                   ; rows still to come
.row:           push    di
                mov     cx, 7                   ; letters
.letter:        lodsb
                mov     dh, al
                mov     dl, 8
                mov     ah, [banner_colours - 1 + bx]
.bit:           shl     dh, 1
                jnc     .skip
                mov     al, 0xDB
                mov     [es:di], ax
.skip:          add     di, 2
                dec     dl
                jnz     .bit
                loop    .letter
                pop     di
                add     di, ROW_BYTES
                dec     bx
                jnz     .row
                pop     es
                ret

; Sleep for ever. HLT stops the processor until the next interrupt, so the loop costs next to
; nothing.
halt:           mov     si, halt_title
                call    page_begin
                say     NL, T, "The tour has stopped. The processor now executes two instructions:", NL, NL
                say     K, "    wait:   hlt", T, "        ; sleep until an interrupt comes", NL
                say     K, "            jmp wait", NL, NL
                say     T, "so this machine is idle until you switch it off or close its window.", NL, NL
                say     G, "TOUR HALTED", NL
.wait:          sti
                hlt
                jmp     .wait

section .data
menu_title:     db      " Retrace tour", 0
halt_title:     db      " Retrace tour  Halted", 0
menu_keys:      db      " 1-6 or arrows and Enter: open a lesson     0 or Esc: halt", 0
menu_actions:   dw      lesson1, lesson2, lesson3, lesson4, lesson5, lesson6, halt
menu_texts:     dw      .1, .2, .3, .4, .5, .6, .0
.1:             db      H, "1  ", W, "Hello from real mode", T, "      INT 10h, then straight into video memory", 0
.2:             db      H, "2  ", W, "A picture", T, "                 VGA mode 13h, 256 colours, the DAC", 0
.3:             db      H, "3  ", W, "Timer and keyboard", T, "        interrupt handlers of our own", 0
.4:             db      H, "4  ", W, "Protected mode", T, "            descriptors, a fault, and back", 0
.5:             db      H, "5  ", W, "Paging", T, "                    a page fault handled and retried", 0
.6:             db      H, "6  ", W, "Virtual-8086 mode", T, "         a monitor runs a real-mode task", 0
.0:             db      H, "0  ", W, "Halt", 0

banner:         db      0xF8, 0xFC, 0xFC, 0xF8, 0x78, 0x7C, 0xFC        ; R E T R A C E
                db      0xCC, 0xC0, 0x30, 0xCC, 0xCC, 0xC0, 0xC0
                db      0xF8, 0xF8, 0x30, 0xF8, 0xFC, 0xC0, 0xF8
                db      0xCC, 0xC0, 0x30, 0xCC, 0xCC, 0xC0, 0xC0
                db      0xCC, 0xFC, 0x30, 0xCC, 0xCC, 0x7C, 0xFC
banner_colours: db      0x13, 0x1B, 0x1B, 0x1F, 0x1F                    ; last row first

section .bss
menu_choice:    resb    1
