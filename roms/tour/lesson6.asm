; Lesson 6: virtual-8086 mode. A real-mode task runs under a protected-mode monitor.
;
; IOPL is 0, so CLI, STI, PUSHF, POPF, INT n and IRET of the task cause #GP, and so do HLT (CPL 3)
; and port I/O (the TSS has no permission bitmap). The monitor does for the task what the processor
; would have done in real mode (386PRM chapter 15), says so on the screen, and returns with IRETD.

                cpu     386
                bits    16
section .text

EFLAGS_VM       equ     1 << 17
EFLAGS_IF       equ     1 << 9
EFLAGS_FIXED    equ     2                       ; bit 1 always reads as one
V86_STACK       equ     0x6000                  ; the task's stack, below ours
TASK_VECTOR     equ     0x60                    ; INT 60h: the task's own service, "AX = AX + BX"
POST_PORT       equ     0x80                    ; diagnostic port, harmless on every PC

lesson6:        lesson_page 6, "Virtual-8086 mode"
                mov     di, '6'
                call    need_386
                jz      .end
                call    lesson6_intro
                push    dword [TASK_VECTOR * 4]
                mov     dword [TASK_VECTOR * 4], task_service
                mov     eax, lesson6_32
                call    run_protected
                pop     dword [TASK_VECTOR * 4]
                say     H, "4 ", T, "The task is over, the monitor has returned: ", G, "real mode again.", NL
                mov     si, .done
                jmp     page_end
.end:           ret
section .data
.done:          db      G, "LESSON 6 DONE", 0
section .text

lesson6_intro:  say     T, "V86 mode runs real-mode programs inside protected mode: segments count times", NL
                say     "16 as on an 8086, but at privilege 3, watched by a monitor at privilege 0.", NL, NL
                say     H, "1 ", W, "The way back", T, ": a task state segment (TSS) tells the processor which stack", NL
                say     "  to use when the task causes an exception. ", K, "LTR 30h", T, " loads it.", NL
                ret

                bits    32
lesson6_32:     mov     dword [fault_hook], monitor
                and     byte [gdt_tss + 5], ~2  ; LTR marks the TSS busy and refuses one that is
                mov     dword [tss + 4], esp    ; ESP0, SS0: exceptions push here
                mov     dword [tss + 8], SEL_DATA32
                mov     word [tss + 102], 0x68  ; I/O bitmap beyond the limit: no port is allowed
                mov     eax, SEL_TSS
                ltr     ax
                mov     [monitor_stack], esp
                mov     byte [virtual_if], 1

                say32   H, "2 ", K, "IRETD", T, " with the ", K, "VM", T, " bit set in the EFLAGS on the stack enters V86 mode.", NL
                movzx   eax, word [cursor]      ; the task writes its greeting on the next line, the traces follow
                add     eax, LEFT * 2
                mov     [task_cursor], ax
                say32   NL
                say32   H, "3 ", W, "What the monitor sees", T, " (each one a #GP, exception 13):", NL
                xor     eax, eax
                push    eax                     ; GS, FS, DS, ES
                push    eax
                push    eax
                push    eax
                push    eax                     ; SS
                push    dword V86_STACK         ; ESP
                push    dword EFLAGS_VM | EFLAGS_FIXED
                push    eax                     ; CS
                push    dword task              ; EIP
                iretd

; Exception hook: EBP = frame of the task. One instruction is emulated for each #GP.
monitor:        cmp     byte [ebp + frame.vector], VECTOR_GP
                jne     unexpected_exception
                test    dword [ebp + frame.eflags], EFLAGS_VM
                jz      unexpected_exception
                say32   D, "    "
                mov     eax, [ebp + frame.cs]
                call    print32_hex16
                say32   ":"
                mov     eax, [ebp + frame.eip]
                call    print32_hex16
                say32   "  "
                call    task_address
                mov     al, [ebx]               ; the opcode
                mov     esi, monitor_table
.find:          cmp     byte [esi], 0
                je      unexpected_exception
                cmp     al, [esi]
                je      .found
                add     esi, 5
                jmp     .find
.found:         call    [esi + 1]
                say32   NL
                ret

; EBX = linear address of the task's CS:IP.
task_address:   movzx   ebx, word [ebp + frame.cs]
                shl     ebx, 4
                add     ebx, [ebp + frame.eip]
                ret

; The task's stack, 16 bits at a time: push AX, pop AX.
task_push:      sub     word [ebp + frame.esp], 2
                call    task_stack
                mov     [ebx], ax
                ret
task_pop:       call    task_stack
                mov     ax, [ebx]
                add     word [ebp + frame.esp], 2
                ret
task_stack:     movzx   ebx, word [ebp + frame.esp]
                movzx   ecx, word [ebp + frame.ss]
                shl     ecx, 4
                add     ebx, ecx
                ret

; AX = the FLAGS that the task believes to have: its own, with the virtual IF.
task_flags:     mov     ax, [ebp + frame.eflags]
                and     ax, ~EFLAGS_IF
                cmp     byte [virtual_if], 0
                je      .end
                or      ax, EFLAGS_IF
.end:           ret

; The task wants FLAGS = AX. The real IF and IOPL stay ours.
task_set_flags: test    ax, EFLAGS_IF
                setnz   [virtual_if]
                and     ax, 0x0FFF & ~EFLAGS_IF
                or      ax, EFLAGS_FIXED
                mov     [ebp + frame.eflags], ax
                ret

emulate_cli:    inc     word [ebp + frame.eip]
                mov     byte [virtual_if], 0
                say32   K, "CLI     ", T, "its virtual interrupt flag = 0; the real one is ours"
                ret

emulate_sti:    inc     word [ebp + frame.eip]
                mov     byte [virtual_if], 1
                say32   K, "STI     ", T, "its virtual interrupt flag = 1"
                ret

emulate_pushf:  inc     word [ebp + frame.eip]
                call    task_flags
                call    task_push
                say32   K, "PUSHF   ", T, "pushed ", G
                call    print32_hex16
                say32   T, ", with the virtual flag in bit 9"
                ret

emulate_popf:   inc     word [ebp + frame.eip]
                call    task_pop
                call    task_set_flags
                say32   K, "POPF    ", T, "flags set, except those that are the monitor's"
                ret

; INT n: as in real mode, push FLAGS, CS, IP and go where the vector table at address 0 says.
emulate_int:    movzx   edi, byte [ebx + 1]
                add     word [ebp + frame.eip], 2
                call    task_flags
                call    task_push
                mov     ax, [ebp + frame.cs]
                call    task_push
                mov     ax, [ebp + frame.eip]
                call    task_push
                movzx   eax, word [edi * 4]
                mov     [ebp + frame.eip], eax
                movzx   eax, word [edi * 4 + 2]
                mov     [ebp + frame.cs], eax
                mov     byte [virtual_if], 0
                say32   K, "INT "
                mov     eax, edi
                call    print32_hex8
                say32   "h ", T, "reflected to the task's own vector, "
                mov     eax, [ebp + frame.cs]
                call    print32_hex16
                say32   ":"
                mov     eax, [ebp + frame.eip]
                jmp     print32_hex16

emulate_iret:   call    task_pop
                movzx   eax, ax
                mov     [ebp + frame.eip], eax
                call    task_pop
                movzx   eax, ax
                mov     [ebp + frame.cs], eax
                call    task_pop
                call    task_set_flags
                say32   K, "IRET    ", T, "popped IP, CS and FLAGS: back to "
                mov     eax, [ebp + frame.eip]
                jmp     print32_hex16

; OUT imm8, AL: this monitor lets the task write to the POST port only.
emulate_out:    add     word [ebp + frame.eip], 2
                say32   K, "OUT "
                mov     al, [ebx + 1]
                call    print32_hex8
                say32   "h ", T, "no permission in the TSS; "
                cmp     al, POST_PORT
                jne     .refused
                mov     al, [ebp + frame.eax]
                out     POST_PORT, al
                say32   "the monitor writes ", G
                call    print32_hex8
                say32   T, " for it"
                ret
.refused:       say32   B, "refused"
                ret

; HLT is how this task says goodbye. Back to the caller of lesson6_32 on the stack of before.
emulate_hlt:    say32   K, "HLT     ", T, "the agreed end of the task; it leaves AX=", G
                mov     eax, [ebp + frame.eax]
                call    print32_hex16
                say32   T, " (40 + 2)", NL
                mov     esp, [monitor_stack]
                ret

section .data
; Opcode, routine.
%macro emulate 2
                db      %1
                dd      %2
%endmacro
monitor_table:  emulate 0xFA, emulate_cli
                emulate 0xFB, emulate_sti
                emulate 0x9C, emulate_pushf
                emulate 0x9D, emulate_popf
                emulate 0xCD, emulate_int
                emulate 0xCF, emulate_iret
                emulate 0xE6, emulate_out
                emulate 0xF4, emulate_hlt
                db      0
section .text

; The task: plain 8086 code that could run in real mode just as well, and does not know that it does
; not.
                cpu     8086
                bits    16
task:           mov     ax, VIDEO_SEG           ; memory needs no help: segment B800 works as ever
                mov     es, ax
                mov     di, [task_cursor]
                mov     si, task_greeting
                mov     ah, 0x1A
                cld
.next:          lodsb
                or      al, al
                jz      .greeted
                stosw
                jmp     .next
.greeted:       cli
                pushf
                popf
                sti
                mov     al, 0x86
                out     POST_PORT, al
                mov     ax, 0x40
                mov     bx, 0x02
                int     TASK_VECTOR
                hlt

task_service:   add     ax, bx
                iret

section .data
task_greeting:  db      "Hello from V86 mode, written to B800:0000 by 8086 code!", 0

section .bss
tss:            resb    0x68
monitor_stack:  resd    1
task_cursor:    resw    1
virtual_if:     resb    1
