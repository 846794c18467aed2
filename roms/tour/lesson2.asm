; Lesson 2: a picture in VGA mode 13h: 320x200 pixels, one byte each, colours through the DAC.
; 8086 instructions only.

                cpu     8086
                bits    16
section .text

PICTURE_SEG     equ     0xA000
PICTURE_TOP     equ     16                      ; rows above and below stay black, for the captions
PICTURE_ROWS    equ     168
RING_FIRST      equ     16                      ; DAC registers of the picture: a ring of 7 ramps of 32
RING_SIZE       equ     7 * 32
DAC_READ        equ     0x3C7
DAC_WRITE       equ     0x3C8
DAC_DATA        equ     0x3C9

lesson2:        lesson_page 2, "A picture in VGA mode 13h"
                call    lesson2_intro
                mov     si, .show
                call    status_bar
                call    get_key
                call    lesson2_picture
                call    lesson2_read_back
                mov     ax, 0x0003
                int     0x10
                call    set_palette
                lesson_page 2, "A picture in VGA mode 13h"
                call    lesson2_report
                mov     si, .done
                jmp     page_end
section .data
.show:          db      " Press any key to see the picture, and again to come back", 0
.done:          db      G, "LESSON 2 DONE", 0
section .text

lesson2_intro:  say     H, "1 ", K, "AX=0013h INT 10h", T, " asks the BIOS for 320 x 200 pixels in 256 colours.", NL, NL
                say     H, "2 ", T, "The screen is now 64000 bytes at ", K, "A000:0000", T, ", one byte a pixel:", NL
                say     "  pixel (x, y) is the byte at offset ", K, "320 * y + x", T, ".", NL, NL
                say     H, "3 ", T, "The byte is not a colour but a number from 0 to 255. The DAC, the chip that", NL
                say     "  drives the monitor, looks it up in its table of 256 colours. We fill it:", NL
                say     K, "  port 3C8", T, ": which entry; ", K, "port 3C9", T, ": red, green, blue, 0 to 63 each.", NL, NL
                say     H, "4 ", T, "Each pixel becomes the sum of three sine waves. Each timer tick then turns", NL
                say     "  the table by one entry: everything seems to flow, and yet not one pixel is", NL
                say     "  written again.", NL
                ret

; Steps 1 to 4, until a key comes.
lesson2_picture:
                mov     ax, 0x0013
                int     0x10
                call    make_ramps
                call    make_sine
                call    load_dac
                call    draw_waves
                mov     si, .above
                mov     dx, (0 << 8) | 1
                call    caption
                mov     si, .below
                mov     dx, (24 << 8) | 1
                call    caption
.turn:          hlt                             ; at most until the next timer tick
                call    turn_ring
                call    load_dac
                call    key_waiting
                jz      .turn
                jmp     get_key
section .data
.above:         db      "Mode 13h: 320 x 200, 256 colours", 0
.below:         db      "Only the palette moves.   Press a key.", 0
section .text

; The text at SI through the BIOS at row DH, column DL: it draws letters in graphics modes too.
caption:        mov     ah, 2
                xor     bh, bh
                int     0x10
.next:          lodsb
                or      al, al
                jz      .end
                mov     ah, 0x0E
                mov     bx, 15                  ; the BIOS sets entry 15 to white
                int     0x10
                jmp     .next
.end:           ret

; ring[] = 7 ramps of 32 colours, from each anchor to the next.
make_ramps:     mov     di, ring
                mov     si, anchors
                mov     bl, 7
.ramp:          xor     cl, cl                  ; CL = 0 to 31
.colour:        push    bx
                mov     bx, 3                   ; red, green, blue
.component:     mov     al, 32
                sub     al, cl
                mul     byte [si]               ; from * (32 - CL)
                mov     dx, ax
                mov     al, cl
                mul     byte [si + 3]           ; to * CL
                add     ax, dx
                push    cx
                mov     cl, 5
                shr     ax, cl                  ; / 32
                pop     cx
                stosb
                inc     si
                dec     bx
                jnz     .component
                sub     si, 3
                pop     bx
                inc     cl
                cmp     cl, 32
                jb      .colour
                add     si, 3
                dec     bl
                jnz     .ramp
                ret

; sine[256]: a full wave between 0 and 128 made of two parabolas, t * (128 - t) / 64, close enough
; to sines.
make_sine:      xor     bx, bx
.next:          mov     al, bl
                and     al, 0x7F
                mov     ah, 128
                sub     ah, al
                mul     ah
                mov     cl, 6
                shr     ax, cl                  ; 0 to 64
                test    bl, 0x80
                jz      .upper
                neg     ax
.upper:         add     ax, 64
                mov     [sine + bx], al
                inc     bl
                jnz     .next
                ret

; Write ring[] to the DAC registers from RING_FIRST on.
load_dac:       mov     dx, DAC_WRITE
                mov     al, RING_FIRST
                out     dx, al
                inc     dx                      ; DAC_DATA
                mov     si, ring
                mov     cx, RING_SIZE * 3
.next:          lodsb
                out     dx, al
                loop    .next
                ret

; Turn the ring by one colour.
turn_ring:      push    word [ring]
                mov     al, [ring + 2]
                push    ax
                mov     si, ring + 3
                mov     di, ring
                mov     cx, (RING_SIZE - 1) * 3
                rep     movsb
                pop     ax
                pop     word [ring + (RING_SIZE - 1) * 3]
                mov     [ring + RING_SIZE * 3 - 1], al
                ret

; Every pixel: sine(x + 2y) + sine(3y/2 + wave) + sine(x/2 - y + wave), wrapped into the ring.
draw_waves:     push    es
                mov     ax, PICTURE_SEG
                mov     es, ax
                mov     di, PICTURE_TOP * 320
                xor     dx, dx                  ; DX = y
.row:           xor     cx, cx                  ; CX = x
.pixel:         mov     bx, dx
                shl     bx, 1
                add     bx, cx
                xor     bh, bh
                mov     al, [sine + bx]
                xor     ah, ah
                mov     si, ax
                shr     ax, 1
                add     ax, dx
                add     ax, cx
                mov     bl, al
                mov     al, [sine + bx]
                xor     ah, ah
                add     si, ax
                mov     ax, cx
                shr     ax, 1
                sub     ax, dx
                sub     ax, si
                mov     bl, al
                mov     al, [sine + bx]
                xor     ah, ah
                add     ax, si
.wrap:          cmp     ax, RING_SIZE
                jb      .store
                sub     ax, RING_SIZE
                jmp     .wrap
.store:         add     al, RING_FIRST
                stosb
                inc     cx
                cmp     cx, 320
                jb      .pixel
                inc     dx
                cmp     dx, PICTURE_ROWS
                jb      .row
                pop     es
                ret

; Read one pixel and its DAC register while the picture still stands.
lesson2_read_back:
                push    es
                mov     ax, PICTURE_SEG
                mov     es, ax
                mov     al, [es:100 * 320 + 160]
                pop     es
                mov     [pixel], al
                mov     dx, DAC_READ
                out     dx, al
                mov     dx, DAC_DATA
                in      al, dx
                mov     [pixel_rgb], al
                in      al, dx
                mov     [pixel_rgb + 1], al
                in      al, dx
                mov     [pixel_rgb + 2], al
                ret

lesson2_report: say     T, "Before we left mode 13h, we looked at the pixel in the middle, (160, 100):", NL, NL
                say     "  the byte at ", K, "A000:7DA0", T, " was ", G
                mov     al, [pixel]
                call    print_hex8
                say     T, ".", NL, "  DAC entry ", G
                call    print_hex8
                say     T, " at that moment held red ", G
                mov     al, [pixel_rgb]
                call    lesson2_number
                say     T, ", green ", G
                mov     al, [pixel_rgb + 1]
                call    lesson2_number
                say     T, ", blue ", G
                mov     al, [pixel_rgb + 2]
                call    lesson2_number
                say     T, ".", NL, NL
                say     "Palette entries 10 to EF were rewritten 18 times a second: 672 bytes instead", NL
                say     "of the 53760 that drawing the picture again would have cost.", NL, NL
                say     "The BIOS has put text mode back: ", K, "AX=0003h INT 10h", T, ".", NL
                ret
lesson2_number: xor     ah, ah
                jmp     print_dec

section .data
anchors:        db       4,  6, 22              ; night blue
                db      22,  8, 40              ; violet
                db      52, 12, 36              ; magenta
                db      63, 34, 18              ; orange
                db      63, 60, 36              ; pale yellow
                db      16, 48, 46              ; turquoise
                db       4, 24, 44              ; sea blue
                db       4,  6, 22              ; and round again

section .bss
sine:           resb    256
ring:           resb    RING_SIZE * 3
pixel:          resb    1
pixel_rgb:      resb    3
