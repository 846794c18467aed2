; Into protected mode and back, shared by lessons 4 to 6. Lesson 4 explains on the screen what
; happens here.
;
; Segment 0 holds the whole tour, so the flat descriptors (base 0) make every label valid in both
; modes, and one stack serves both. Interrupts stay off: the BIOS's handlers are real-mode code, and
; IRQ 0-7 arrive on the vectors 8-15, which protected mode uses for exceptions.
;
; References: Intel 80386 Programmer's Reference Manual (386PRM) 10.3 (switching), 9.8-9.10
; (exceptions).

                cpu     386
                bits    16
section .text

SEL_CODE32      equ     0x08                    ; selectors: offset of the descriptor in the GDT
SEL_DATA32      equ     0x10
SEL_CODE16      equ     0x18
SEL_DATA16      equ     0x20
SEL_ROW         equ     0x28                    ; lesson 4: the first row of the screen and nothing else
SEL_TSS         equ     0x30                    ; lesson 6
SEL_MISSING     equ     0x48                    ; lesson 4: beyond the end of the GDT

CR0_PE          equ     1
CR0_PG          equ     1 << 31
EXCEPTIONS      equ     32
VECTOR_GP       equ     13
VECTOR_PF       equ     14

; Call the 32-bit routine EAX in protected mode, with CPL 0 and flat segments; come back in real
; mode. Changes all registers but segment registers.
run_protected:  cli
                mov     [routine32], eax
                call    build_idt
                lgdt    [gdt_pointer]
                lidt    [idt_pointer]
                mov     eax, cr0
                or      al, CR0_PE
                mov     cr0, eax                ; protected from here on, but CS still holds a real-mode segment:
                jmp     dword SEL_CODE32:.enter ; the far jump loads a descriptor into it

                bits    32
.enter:         mov     ax, SEL_DATA32
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                movzx   esp, sp
                mov     [stack32], esp
                call    [routine32]

; A way out for an exception that nobody expected, too: the stack is put back to where the routine
; started.
leave_protected:
                mov     esp, [stack32]
                jmp     SEL_CODE16:.segment16

                bits    16
.segment16:     mov     ax, SEL_DATA16          ; real mode needs segments with a limit of FFFF:
                mov     ds, ax                  ; loading a segment register there changes only its base
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                mov     eax, cr0
                and     eax, ~(CR0_PE | CR0_PG)
                mov     cr0, eax
                jmp     0:.real
.real:          xor     ax, ax
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                lidt    [real_idt_pointer]
                sti
                ret

; Fill the IDT with 32-bit interrupt gates to the entries below (386PRM figure 9-3).
build_idt:      mov     di, idt
                mov     ax, exception_entries
                mov     cx, EXCEPTIONS
.gate:          mov     [di], ax                ; offset, low half
                mov     word [di + 2], SEL_CODE32
                mov     word [di + 4], 0x8E00   ; present, DPL 0, 386 interrupt gate
                mov     word [di + 6], 0        ; offset, high half
                add     di, 8
                add     ax, ENTRY_SIZE
                loop    .gate
                mov     dword [fault_hook], 0
                ret

; One entry per exception: push a 0 where the processor pushes no error code, then the vector.
                bits    32
ENTRY_SIZE      equ     16
%assign vector 0
exception_entries:
%rep EXCEPTIONS
  %if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
                push    dword 0
  %endif
                push    dword vector
                jmp     exception_common
                times   (vector + 1) * ENTRY_SIZE - ($ - exception_entries) nop
  %assign vector vector + 1
%endrep

; What a hook finds at EBP. The last four are there only if the exception came from V86 mode.
struc frame
.es:            resd    1
.ds:            resd    1
.edi:           resd    1
.esi:           resd    1
.ebp:           resd    1
.esp0:          resd    1
.ebx:           resd    1
.edx:           resd    1
.ecx:           resd    1
.eax:           resd    1
.vector:        resd    1
.error:         resd    1
.eip:           resd    1
.cs:            resd    1
.eflags:        resd    1
.esp:           resd    1
.ss:            resd    1
.v86_es:        resd    1
.v86_ds:        resd    1
endstruc

; Save everything, call the hook that the lesson has set, return to the place the frame now says.
exception_common:
                pushad
                push    ds
                push    es
                mov     ax, SEL_DATA32
                mov     ds, ax
                mov     es, ax
                cld
                mov     ebp, esp
                cmp     dword [fault_hook], 0
                je      unexpected_exception
                call    [fault_hook]
                pop     es
                pop     ds
                popad
                add     esp, 8                  ; vector, error code
                iretd

; Nobody was waiting for this one: say so and go back to real mode.
unexpected_exception:
                say32   NL, B, "Unexpected exception "
                mov     eax, [ebp + frame.vector]
                call    print32_hex8
                say32   ", error code "
                mov     eax, [ebp + frame.error]
                call    print32_hex
                say32   ", at "
                mov     eax, [ebp + frame.cs]
                call    print32_hex16
                say32   ":"
                mov     eax, [ebp + frame.eip]
                call    print32_hex
                say32   NL
                jmp     leave_protected

section .data
; A descriptor: limit 15-0, base 15-0, base 23-16, access byte, flags and limit 19-16, base 31-24
; (386PRM 5.1.1).
gdt:            dq      0                                       ; the null descriptor
                dw      0xFFFF, 0
                db      0, 0x9A, 0xCF, 0                        ; 08: code, 32-bit, 4 GB
                dw      0xFFFF, 0
                db      0, 0x92, 0xCF, 0                        ; 10: data, 4 GB
                dw      0xFFFF, 0
                db      0, 0x9A, 0x00, 0                        ; 18: code, 16-bit, 64 KB
                dw      0xFFFF, 0
                db      0, 0x92, 0x00, 0                        ; 20: data, 64 KB
                dw      ROW_BYTES - 1, 0x8000
                db      0x0B, 0x92, 0x00, 0                     ; 28: data, 160 bytes at B8000
gdt_tss:        dw      0x67, tss
                db      0, 0x89, 0x00, 0                        ; 30: 386 TSS
gdt_end:

gdt_pointer:    dw      gdt_end - gdt - 1
                dd      gdt
idt_pointer:    dw      EXCEPTIONS * 8 - 1
                dd      idt
real_idt_pointer:
                dw      0x3FF                   ; real mode: 256 vectors of 4 bytes at address 0
                dd      0

section .bss
idt:            resb    EXCEPTIONS * 8
routine32:      resd    1
stack32:        resd    1
fault_hook:     resd    1                       ; routine for exceptions; EBP = frame
