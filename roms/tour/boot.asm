; The boot sector: loads the rest of the tour behind itself. 8086 instructions only.
;
; It trusts nothing but INT 13h function 2 with cylinder, head and sector numbers. It never asks for
; sectors of two tracks at once, because some BIOSes do not cross tracks, and tries each read five
; times with a reset in between, because a real drive fails the first read while its motor spins up.
; The image ends below 10000h, so no read crosses a 64K boundary of the DMA controller.

                cpu     8086
                bits    16
section .text

boot:           jmp     short boot_start
                nop
                times   0x3E - ($ - boot) db 0  ; some BIOSes write the disk's geometry here

boot_start:     cli
                xor     ax, ax
                mov     ss, ax
                mov     sp, STACK_TOP
                mov     ds, ax
                mov     es, ax
                sti
                cld
                jmp     0:boot_load             ; some BIOSes start us at 07C0:0000

boot_load:      mov     [boot_drive], dl        ; the BIOS passes the boot drive in DL
                mov     si, boot_loading
                call    boot_print

.track:         mov     al, SECTORS_TRACK + 1   ; as many sectors as this track still has,
                sub     al, [boot_sector]
                cmp     al, [boot_left]         ; but no more than needed
                jbe     .sized
                mov     al, [boot_left]
.sized:         mov     [boot_count], al
                mov     byte [boot_tries], 5

.read:          mov     ah, 2                   ; INT 13h AH=2: read sectors to ES:BX
                mov     al, [boot_count]
                mov     ch, [boot_cylinder]
                mov     cl, [boot_sector]
                mov     dh, [boot_head]
                mov     dl, [boot_drive]
                mov     bx, [boot_address]
                int     0x13
                jnc     .done
                xor     ah, ah                  ; AH=0: reset the drive, then try again
                mov     dl, [boot_drive]
                int     0x13
                dec     byte [boot_tries]
                jnz     .read
                mov     si, boot_failed
                call    boot_print
.stop:          hlt
                jmp     .stop

.done:          mov     al, [boot_count]
                sub     [boot_left], al
                jz      .start
                mov     ah, al                  ; count * 512 = count * 2 in the high byte
                xor     al, al
                shl     ax, 1
                add     [boot_address], ax
                mov     byte [boot_sector], 1
                xor     byte [boot_head], 1     ; head 0, head 1, next cylinder
                jnz     .track
                inc     byte [boot_cylinder]
                jmp     .track

.start:         jmp     main

; Print the text at DS:SI through the BIOS.
boot_print:     lodsb
                or      al, al
                jz      .end
                mov     ah, 0x0E
                mov     bx, 7
                int     0x10
                jmp     boot_print
.end:           ret

boot_loading:   db      "Loading the Retrace tour...", 13, 10, 0
boot_failed:    db      "The floppy cannot be read: check the disk image and start again.", 13, 10, 0

boot_drive:     db      0
boot_cylinder:  db      0
boot_head:      db      0
boot_sector:    db      2                       ; sectors are counted from 1; this code is sector 1
boot_count:     db      0
boot_tries:     db      0
boot_left:      db      image_sectors - 1
boot_address:   dw      0x7E00

                times   510 - ($ - $$) db 0
                dw      0xAA55
