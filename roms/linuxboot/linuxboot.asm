; linuxboot: an option ROM that boots a Linux kernel handed over by the machine (-kernel, -initrd,
; -append).
;
; Follows "The Linux/x86 Boot Protocol" (Documentation/arch/x86/boot.rst; below: boot.rst) from the
; real-mode entry, so that the kernel asks the BIOS for its memory map and video mode as on any PC.
; The files come as raw bytes through fw_cfg (QEMU docs/specs/fw_cfg), the large ones by DMA where
; the device has it; every field of the kernel's header that a boot loader has to fill in is filled
; in here. The BIOS finds the ROM by its PnP header (Plug and
; Play BIOS Specification 1.0A, section 3) and starts it through the bootstrap entry vector (BIOS
; Boot Specification 1.01, section 5).
;
; Memory map during loading     00500-07BFF     stack
;                               07C00-07DFF     variables
;                               10000-1FFFF     setup code, heap, command line (before 2.02: 90000)
;                               100000-         protected-mode kernel (before bzImage: at 10000)
;                               high            initrd, as high as RAM and kernel allow
;
; Assemble:  nasm -f bin -o linuxboot.bin roms/linuxboot/linuxboot.asm
;            romsum linuxboot.bin

                cpu     386
                bits    16
                org     0

FW_CFG_SELECT   equ     0x510
FW_CFG_DATA     equ     0x511
FW_CFG_DMA_LOW  equ     0x518                   ; low half of the DMA address, big-endian
FW_FEATURES     equ     0x01                    ; item: interfaces that there are, 32 bits
FW_HAS_DMA      equ     0x02
FW_KERNEL_SIZE  equ     0x08                    ; items; a size is 32-bit little-endian
FW_KERNEL_DATA  equ     0x11
FW_INITRD_SIZE  equ     0x0B
FW_INITRD_DATA  equ     0x12
FW_CMDLINE_SIZE equ     0x14
FW_CMDLINE_DATA equ     0x15
FW_SETUP_SIZE   equ     0x17
FW_SETUP_DATA   equ     0x18

; The kernel's header, offsets in its first sectors (boot.rst, "The Real-Mode Kernel Header").
HDR_CL_MAGIC    equ     0x020                   ; command line, protocol 2.00 and 2.01
HDR_CL_OFFSET   equ     0x022
HDR_VIDEO_MODE  equ     0x1FA
HDR_BOOT_FLAG   equ     0x1FE
HDR_MAGIC       equ     0x202
HDR_VERSION     equ     0x206
HDR_LOADER      equ     0x210
HDR_LOADFLAGS   equ     0x211
HDR_MOVE_SIZE   equ     0x212
HDR_INITRD      equ     0x218
HDR_INITRD_SIZE equ     0x21C
HDR_HEAP_END    equ     0x224
HDR_CMDLINE     equ     0x228
HDR_INITRD_MAX  equ     0x22C                   ; 2.03
HDR_CL_SIZE     equ     0x238                   ; 2.06
HDR_PREFERRED   equ     0x258                   ; 2.10
HDR_INIT_SIZE   equ     0x260                   ; 2.10
HDR_END         equ     0x268

; The first field of struct FWCfgDmaAccess, a big-endian number seen by a little-endian processor.
DMA_READ        equ     0x02000000
DMA_ERROR       equ     0x01000000

LOADED_HIGH     equ     0x01                    ; bits of HDR_LOADFLAGS
CAN_USE_HEAP    equ     0x80
LOADER_UNKNOWN  equ     0xFF                    ; a loader without an assigned number
MODE_ASK        equ     0xFFFD                  ; values of HDR_VIDEO_MODE
MODE_EXTENDED   equ     0xFFFE
MODE_NORMAL     equ     0xFFFF

HIGH_KERNEL     equ     0x100000
CHUNK           equ     0x4000                  ; bytes read at a time, with interrupts off
DOT             equ     0x80000                 ; bytes for each dot of the progress display
SMAP            equ     0x534D4150              ; 'SMAP'

; Variables at 0000:7C00, addressed through BP with SS = 0.
struc var
.kernel_size:   resd    1
.initrd_size:   resd    1
.cmdline_size:  resd    1
.kernel_at:     resd    1                       ; linear addresses
.initrd_at:     resd    1
.initrd_floor:  resd    1                       ; the initrd has to be above the kernel,
.initrd_top:    resd    1                       ; and below this
.setup_at:      resd    1
.setup_seg:     resw    1
.heap_end:      resw    1                       ; in the setup segment; the command line follows
.progress:      resd    1
.features:      resd    1                       ; of fw_cfg
.dma_control:   resd    1                       ; struct FWCfgDmaAccess, all fields big-endian
.dma_length:    resd    1
.dma_address:   resd    2
.gdtr:          resb    6
                resb    2
.range:         resb    24                      ; one entry of the BIOS memory map
.size:
endstruc
VARIABLES       equ     0x7C00

; --- The ROM header: signature, length (romsum), entry point for initialization ---
                db      0x55, 0xAA, 0
                jmp     near initialize
                times   0x1A - ($ - $$) db 0
                dw      pnp_header
                times   0x20 - ($ - $$) db 0

pnp_header:     db      "$PnP"
                db      1                       ; revision
                db      2                       ; length in units of 16 bytes
                dw      0                       ; no further header
                db      0
                db      0                       ; checksum (romsum)
                dd      0                       ; device identifier
                dw      maker_name
                dw      product_name
                db      0x00, 0x00, 0x00        ; device type: not a device of its own
                db      0x64                    ; may be shadowed, cacheable, IPL device
                dw      0                       ; boot connection vector
                dw      0                       ; disconnect vector
                dw      bootstrap               ; bootstrap entry vector
                dw      0
                dw      0                       ; static resources

maker_name:     db      "Retrace", 0
product_name:   db      "Linux loader", 0

; Called by the BIOS during POST. There is nothing to set up; AX = 20h says that an IPL device is
; attached.
initialize:     mov     ax, 0x0020
                retf

; --- Bootstrap ---
bootstrap:      cli
                xor     ax, ax
                mov     ss, ax
                mov     sp, VARIABLES
                mov     bp, VARIABLES
                sti
                cld
                push    cs
                pop     ds                      ; texts and tables; variables are SS:BP
                call    check_cpu
                call    load_sizes
                call    read_setup
                call    check_header
                call    place_setup
                call    place_initrd
                call    prepare_high_memory
                call    load_kernel
                call    load_initrd
                call    load_cmdline
                call    fill_header
                call    set_video_mode

; Start the setup code (boot.rst, "Running the Kernel"): interrupts off, all segments at the setup
; segment, SP at the end of the heap, CS 20h paragraphs further.
                mov     si, text_start
                call    print
                mov     ax, [bp + var.setup_seg]
                mov     cx, [bp + var.heap_end]
                cli
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                mov     sp, cx
                add     ax, 0x20
                push    ax
                push    word 0
                retf

; --- Checks ---

                cpu     8086
; A 386 or newer lets FLAGS bits 12-14 be changed in real mode; an 8086 holds them at 1, a 286 at 0.
check_cpu:      pushf
                pop     bx
                mov     ax, bx
                xor     ax, 0x7000
                push    ax
                popf
                pushf
                pop     cx
                push    bx
                popf
                xor     cx, bx
                and     cx, 0x7000
                cmp     cx, 0x7000
                mov     si, text_cpu
                jne     fail
                ret
                cpu     386

; What fw_cfg can do, and the sizes; no kernel, no boot.
load_sizes:     mov     ax, FW_FEATURES
                call    fw_read_size
                mov     [bp + var.features], eax
                mov     ax, FW_KERNEL_SIZE
                call    fw_read_size
                mov     [bp + var.kernel_size], eax
                mov     ax, FW_INITRD_SIZE
                call    fw_read_size
                mov     [bp + var.initrd_size], eax
                mov     ax, FW_CMDLINE_SIZE
                call    fw_read_size
                mov     [bp + var.cmdline_size], eax
                mov     ax, FW_SETUP_SIZE
                call    fw_read_size
                mov     si, text_no_kernel
                cmp     eax, HDR_END
                jb      fail
                cmp     dword [bp + var.kernel_size], 0
                je      fail
                ret

; Read the setup code (EAX bytes) to 1000:0000.
read_setup:     mov     si, text_setup
                cmp     eax, 65 * 512           ; setup_sects is 64 at most
                ja      fail
                mov     ecx, eax
                push    word 0x1000
                pop     es
                xor     di, di
                mov     ax, FW_SETUP_DATA
                call    fw_select
                rep     insb
                ret

; ES:0 = setup code. Protocol 2.00 introduced everything that an initrd and a bzImage need.
check_header:   mov     si, text_not_linux
                cmp     word [es:HDR_BOOT_FLAG], 0xAA55
                jne     fail
                mov     si, text_too_old
                cmp     dword [es:HDR_MAGIC], 'HdrS'
                jne     fail
                cmp     word [es:HDR_VERSION], 0x200
                jb      fail
                mov     si, text_cmdline
                mov     eax, 255                ; boot.rst: the limit before 2.06
                cmp     word [es:HDR_VERSION], 0x206
                jb      .limit
                mov     eax, [es:HDR_CL_SIZE]
                cmp     eax, 0x1F00             ; what fits between heap and end of segment
                jb      .limit
                mov     eax, 0x1F00
.limit:         inc     eax                     ; the size that we are told may count the final 0
                cmp     [bp + var.cmdline_size], eax
                ja      fail
                ret

; --- Places ---

; Setup code: modern kernels run it anywhere below 90000, old ones only at 90000 (boot.rst, "Memory
; Layout"). HIGH kernels are loaded at 1 MB, others at 64 KB.
place_setup:    mov     dword [bp + var.kernel_at], HIGH_KERNEL
                mov     dword [bp + var.setup_at], 0x10000
                mov     word [bp + var.setup_seg], 0x1000
                mov     word [bp + var.heap_end], 0xE000
                test    byte [es:HDR_LOADFLAGS], LOADED_HIGH
                jz      .low
                cmp     word [es:HDR_VERSION], 0x202
                jae     .end
                jmp     .old
.low:           mov     dword [bp + var.kernel_at], 0x10000
                mov     si, text_too_big
                cmp     dword [bp + var.kernel_size], 0x80000
                ja      fail
.old:           mov     dword [bp + var.setup_at], 0x90000
                mov     word [bp + var.setup_seg], 0x9000
                mov     word [bp + var.heap_end], 0x9800
                push    ds                      ; the kernel may come to 10000
                push    es
                pop     ds
                push    word 0x9000
                pop     es
                xor     si, si
                xor     di, di
                mov     cx, 65 * 512 / 2
                rep     movsw
                pop     ds
.end:           ret

; Initrd: as high as possible, but below the header's limit and above the memory that the kernel
; needs while it unpacks itself (2.10: init_size bytes from pref_address on).
place_initrd:   cmp     dword [bp + var.initrd_size], 0
                je      .end
                mov     dword [bp + var.initrd_top], 0x38000000 ; boot.rst: before 2.03
                mov     eax, HIGH_KERNEL
                cmp     dword [bp + var.kernel_at], HIGH_KERNEL
                jne     .floor
                add     eax, [bp + var.kernel_size]
.floor:         mov     [bp + var.initrd_floor], eax
                cmp     word [es:HDR_VERSION], 0x203
                jb      .find
                mov     eax, [es:HDR_INITRD_MAX]
                inc     eax
                jnz     .top                    ; FFFFFFFF: no limit; keep below 4 GB
                mov     eax, 0xFFFFF000
.top:           mov     [bp + var.initrd_top], eax
                cmp     word [es:HDR_VERSION], 0x20A
                jb      .find
                mov     eax, [es:HDR_PREFERRED]
                add     eax, [es:HDR_INIT_SIZE]
                jc      .find
                cmp     eax, [bp + var.initrd_floor]
                jbe     .find
                mov     [bp + var.initrd_floor], eax
.find:          mov     dword [bp + var.initrd_at], 0
                push    es
                call    find_place
                pop     es
                mov     si, text_memory
                cmp     dword [bp + var.initrd_at], 0
                je      fail
.end:           ret

; Try each range of RAM that the BIOS reports (INT 15h AX=E820h); without E820, the range above 1
; MB.
find_place:     push    ss
                pop     es
                xor     ebx, ebx
.next:          mov     eax, 0xE820
                mov     edx, SMAP
                mov     ecx, 20
                lea     di, [bp + var.range]
                int     0x15
                jc      .last
                cmp     eax, SMAP
                jne     .last
                cmp     dword [bp + var.range + 16], 1  ; type 1: RAM
                jne     .skip
                push    ebx
                call    try_range
                pop     ebx
.skip:          or      ebx, ebx
                jnz     .next
.last:          cmp     dword [bp + var.initrd_at], 0
                jne     .end
                xor     cx, cx                  ; AX = KB from 1 to 16 MB, BX = 64 KB above
                xor     dx, dx
                mov     ax, 0xE801
                int     0x15
                jc      .oldest
                jcxz    .counted                ; some BIOSes answer in CX and DX instead
                mov     ax, cx
                mov     bx, dx
.counted:       movzx   eax, ax
                movzx   ebx, bx
                shl     ebx, 6
                cmp     eax, 0x3C00             ; a hole below 16 MB ends the range
                jb      .kilobytes
                add     eax, ebx
                jmp     .kilobytes
.oldest:        mov     ah, 0x88                ; KB above 1 MB
                int     0x15
                jc      .end
                movzx   eax, ax
.kilobytes:     shl     eax, 10
                mov     dword [bp + var.range], HIGH_KERNEL
                mov     dword [bp + var.range + 4], 0
                mov     [bp + var.range + 8], eax
                mov     dword [bp + var.range + 12], 0
                call    try_range
.end:           ret

; If the initrd fits into var.range, note the highest page where it does.
try_range:      mov     eax, [bp + var.range]
                cmp     dword [bp + var.range + 4], 0
                jne     .end                    ; begins above 4 GB
                mov     edx, [bp + var.range + 12]
                mov     ecx, [bp + var.range + 8]
                add     ecx, eax                ; EDX:ECX = end
                adc     edx, 0
                jnz     .to_top
                cmp     ecx, [bp + var.initrd_top]
                jbe     .sized
.to_top:        mov     ecx, [bp + var.initrd_top]
.sized:         cmp     eax, [bp + var.initrd_floor]
                jae     .floored
                mov     eax, [bp + var.initrd_floor]
.floored:       sub     ecx, [bp + var.initrd_size]
                jc      .end
                and     ecx, 0xFFFFF000
                cmp     ecx, eax
                jb      .end
                cmp     ecx, [bp + var.initrd_at]
                jbe     .end
                mov     [bp + var.initrd_at], ecx
.end:           ret

; --- Loading ---

load_kernel:    mov     si, text_kernel
                call    print
                mov     ax, FW_KERNEL_DATA
                mov     edi, [bp + var.kernel_at]
                mov     ecx, [bp + var.kernel_size]
                jmp     load_high

load_initrd:    cmp     dword [bp + var.initrd_size], 0
                je      .end
                mov     si, text_initrd
                call    print
                mov     ax, FW_INITRD_DATA
                mov     edi, [bp + var.initrd_at]
                mov     ecx, [bp + var.initrd_size]
                jmp     load_high
.end:           ret

; The command line goes behind the heap, always with a final 0.
load_cmdline:   mov     es, [bp + var.setup_seg]
                mov     di, [bp + var.heap_end]
                mov     cx, [bp + var.cmdline_size]
                mov     ax, FW_CMDLINE_DATA
                call    fw_select
                rep     insb
                mov     byte [es:di], 0
                ret

; boot.rst, "Details of Header Fields": type "write" and "modify".
fill_header:    mov     es, [bp + var.setup_seg]
                mov     byte [es:HDR_LOADER], LOADER_UNKNOWN
                mov     eax, [bp + var.initrd_at]
                mov     edx, [bp + var.initrd_size]
                or      edx, edx
                jnz     .initrd
                xor     eax, eax
.initrd:        mov     [es:HDR_INITRD], eax
                mov     [es:HDR_INITRD_SIZE], edx
                movzx   eax, word [bp + var.heap_end]
                cmp     word [es:HDR_VERSION], 0x201
                jb      .no_heap
                mov     dx, ax
                sub     dx, 0x200               ; the field counts from the end of the boot sector
                mov     [es:HDR_HEAP_END], dx
                or      byte [es:HDR_LOADFLAGS], CAN_USE_HEAP
.no_heap:       cmp     word [es:HDR_VERSION], 0x202
                jb      .old_cmdline
                add     eax, [bp + var.setup_at]
                mov     [es:HDR_CMDLINE], eax
                ret
.old_cmdline:   mov     word [es:HDR_CL_MAGIC], 0xA33F
                mov     [es:HDR_CL_OFFSET], ax
                add     ax, [bp + var.cmdline_size]
                inc     ax
                mov     [es:HDR_MOVE_SIZE], ax
                ret

; The option vga= is the loader's to read (boot.rst, "Special Command Line Options"): ask, ext,
; normal or a mode number. Without it the mode in the header stays, which is normal.
set_video_mode: mov     di, [bp + var.heap_end]
.word:          cmp     dword [es:di], 'vga='
                je      .found
.skip:          mov     al, [es:di]
                or      al, al
                jz      .end
                inc     di
                cmp     al, ' '
                jne     .skip
                jmp     .word
.found:         add     di, 4
                mov     eax, [es:di]
                and     eax, 0x00FFFFFF
                mov     bx, MODE_ASK
                cmp     eax, 'ask'
                je      .set
                mov     bx, MODE_EXTENDED
                cmp     eax, 'ext'
                je      .set
                mov     bx, MODE_NORMAL
                cmp     eax, 'nor'
                je      .set
                call    parse_number
.set:           mov     [es:HDR_VIDEO_MODE], bx
.end:           ret

; BX = the number at ES:DI, as C writes it: 791, 0x317, 01427.
parse_number:   xor     bx, bx
                mov     cx, 10
                cmp     byte [es:di], '0'
                jne     .digit
                mov     cx, 8
                inc     di
                mov     al, [es:di]
                or      al, 0x20
                cmp     al, 'x'
                jne     .digit
                mov     cx, 16
                inc     di
.digit:         mov     al, [es:di]
                inc     di
                or      al, 0x20                ; lower case; digits have this bit anyway
                sub     al, '0'
                cmp     al, 10
                jb      .value
                sub     al, 'a' - '0' - 10
.value:         xor     ah, ah
                cmp     ax, cx
                jae     .end
                xchg    ax, bx
                mul     cx
                add     bx, ax
                jmp     .digit
.end:           ret

; --- Memory above 1 MB ---

; Build the GDT pointer and make sure that address line 20 is on.
prepare_high_memory:
                mov     word [bp + var.gdtr], gdt_end - gdt - 1
                xor     eax, eax
                mov     ax, cs
                shl     eax, 4
                add     eax, gdt
                mov     [bp + var.gdtr + 2], eax
                call    a20_is_on
                jnz     .end
                mov     ax, 0x2401              ; INT 15h: enable A20
                int     0x15
                call    a20_is_on
                jnz     .end
                in      al, 0x92                ; the "fast" way
                or      al, 2
                and     al, 0xFE                ; bit 0 would reset the machine
                out     0x92, al
                call    a20_is_on
                jnz     .end
                mov     si, text_a20
                jmp     fail
.end:           ret

; ZF=0 if a byte above 1 MB differs from the one 1 MB below it, also after one of them is changed.
a20_is_on:      cli
                call    flat_es
                mov     ebx, VARIABLES + var.range
                mov     al, [es:ebx]
                not     byte [es:ebx + 0x100000]
                cmp     al, [es:ebx]            ; changed through the alias?
                pushf
                not     byte [es:ebx + 0x100000]
                popf
                sti
                je      .on
                xor     ax, ax
                ret
.on:            or      ax, 1
                ret

; ES = 0 with a limit of 4 GB ("unreal mode"): a descriptor loaded in protected mode stays in force
; when PE is cleared again. Call with interrupts off: a BIOS interrupt handler may enter protected
; mode and undo this.
flat_es:        push    eax
                push    bx
                o32 lgdt [bp + var.gdtr]
                mov     eax, cr0
                or      al, 1
                mov     cr0, eax
                jmp     .protected
.protected:     mov     bx, 8
                mov     es, bx
                and     al, 0xFE
                mov     cr0, eax
                jmp     .real
.real:          xor     bx, bx
                mov     es, bx
                pop     bx
                pop     eax
                ret

; Read ECX bytes of fw_cfg item AX to the linear address EDI, a dot on the screen every 512 KB.
load_high:      call    fw_select
                mov     dword [bp + var.progress], 0
.chunk:         or      ecx, ecx
                jz      .end
                mov     eax, ecx
                cmp     eax, CHUNK
                jbe     .sized
                mov     eax, CHUNK
.sized:         sub     ecx, eax
                call    fw_read_high
                add     [bp + var.progress], eax
                cmp     dword [bp + var.progress], DOT
                jb      .chunk
                sub     dword [bp + var.progress], DOT
                mov     al, '.'
                call    print_char
                jmp     .chunk
.end:           ret

; --- fw_cfg ---

; Select item AX; DX = data port.
fw_select:      mov     dx, FW_CFG_SELECT
                out     dx, ax
                mov     dx, FW_CFG_DATA
                ret

; Read the next EAX bytes of the selected item to the linear address EDI, which moves on.
fw_read_high:   test    byte [bp + var.features], FW_HAS_DMA
                jnz     fw_read_dma
                push    ecx
                mov     ecx, eax
                mov     dx, FW_CFG_DATA
                cli
                call    flat_es
                a32 rep insb
                sti
                pop     ecx
                ret

; The same by DMA. The device clears all bits of the control field but the error bit when it is
; done; an error means that there is no memory to read to.
fw_read_dma:    pushad
                call    swap_eax
                mov     [bp + var.dma_length], eax
                mov     eax, edi
                call    swap_eax
                mov     dword [bp + var.dma_address], 0
                mov     [bp + var.dma_address + 4], eax
                mov     dword [bp + var.dma_control], DMA_READ
                mov     eax, VARIABLES + var.dma_control
                call    swap_eax
                mov     dx, FW_CFG_DMA_LOW
                out     dx, eax
.wait:          test    dword [bp + var.dma_control], ~DMA_ERROR
                jnz     .wait
                test    dword [bp + var.dma_control], DMA_ERROR
                mov     si, text_memory
                jnz     fail
                popad
                add     edi, eax
                ret

; Reverse the bytes of EAX (BSWAP came with the 486).
swap_eax:       xchg    al, ah
                ror     eax, 16
                xchg    al, ah
                ret

; EAX = item AX, a 32-bit little-endian number. Reads of the data port continue byte by byte.
fw_read_size:   call    fw_select
                mov     cx, 4
.next:          in      al, dx
                ror     eax, 8
                loop    .next
                ret

; --- Screen ---

                cpu     8086
; Print the text at SI. All registers are preserved.
print:          push    ax
                push    si
                cld
.next:          lodsb
                or      al, al
                jz      .end
                call    print_char
                jmp     .next
.end:           pop     si
                pop     ax
                ret

print_char:     push    ax
                push    bx
                push    cx
                push    dx
                push    si
                push    di
                push    bp
                mov     ah, 0x0E
                mov     bx, 7
                int     0x10
                pop     bp
                pop     di
                pop     si
                pop     dx
                pop     cx
                pop     bx
                pop     ax
                ret

; Print the sentence at SI and stop: the user asked for this kernel, so nothing else is booted in
; its place.
fail:           push    si
                mov     si, text_fail
                call    print
                pop     si
                call    print
                mov     si, text_newline
                call    print
.wait:          sti
                hlt
                jmp     .wait

; Descriptors with the accessed bit set, so that the processor never writes into the ROM.
gdt:            dq      0
                dw      0xFFFF, 0
                db      0, 0x93, 0x8F, 0        ; 08: data, base 0, 4 GB, 16-bit
gdt_end:

text_kernel:    db      "Loading the kernel ", 0
text_initrd:    db      13, 10, "Loading the initrd ", 0
text_start:     db      13, 10
text_newline:   db      13, 10, 0
text_fail:      db      13, 10, "Linux loader: ", 0
text_cpu:       db      "the kernel needs a 386 or newer processor (-cpu).", 0
text_no_kernel: db      "there is no kernel to boot, or its file is too short (-kernel).", 0
text_setup:     db      "the kernel's setup code is larger than 65 sectors (-kernel).", 0
text_not_linux: db      "the kernel file is not a Linux kernel for x86 (-kernel).", 0
text_too_old:   db      "the kernel is too old (boot protocol before 2.00).", 0
text_too_big:   db      "the kernel is too big to be loaded below 1 MB.", 0
text_cmdline:   db      "the command line is longer than this kernel accepts (-append).", 0
text_memory:    db      "there is not enough memory for this kernel and its initrd (-m).", 0
text_a20:       db      "address line A20 cannot be switched on.", 0
