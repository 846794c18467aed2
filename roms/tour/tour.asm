; Retrace tour: a boot floppy of short lessons about how a PC works.
;
; One flat image. The BIOS loads its first sector at 0000:7C00 (boot.asm); that sector loads the
; rest right behind itself, so the whole tour lives in segment 0 and every label is also a linear
; address: the protected-mode lessons need no second set of labels.
;
; Memory map            0000-05FF  interrupt vectors, BIOS data
;                       0600-1FFF  variables (section .bss)
;                       2000-7BFF  stack, growing down from 7C00
;                       7C00-FFFF  this image: section .text, then section .data
;                      20000-3FFFF page tables and frames of lesson 5
;
; Assemble:  nasm -f bin -I roms/tour/ -o tour.img roms/tour/tour.asm

                org     0x7C00

section .text
section .data   align=1 follows=.text
section .bss    nobits vstart=0x0600
bss_start:

%include "macros.inc"
%include "boot.asm"
%include "menu.asm"
%include "screen.asm"
%include "keyboard.asm"
%include "cpu.asm"
%include "lesson1.asm"
%include "lesson2.asm"
%include "lesson3.asm"
%include "protected.asm"
%include "print32.asm"
%include "lesson4.asm"
%include "lesson5.asm"
%include "lesson6.asm"

section .bss
bss_size        equ     $ - bss_start

section .text
text_size       equ     $ - $$
section .data
data_size       equ     $ - $$

; What boot.asm has to load, and proof that segment 0 has room for it.
image_sectors   equ     (text_size + data_size + 511) / 512
%if text_size + data_size > 0x8400
%error "the tour no longer fits between 7C00 and FFFF"
%endif

                times FLOPPY_SIZE - text_size - data_size db 0
