; Runs a snippet in a context and compares how it ended (SDM 3A 6.12, 6.13; 20.2.5 for V86 frames).

; --- contexts ---
                align   4
ctx_k32:        dd      KCODE, KDATA, 0, 2, KDATA, 0, KIND_SAME
ctx_k16:        dd      CODE16, KDATA, 0, 2, KDATA, BASE, KIND_SAME
ctx_r1:         dd      CODE1, DATA1, STACK1, 2, DATA1, 0, KIND_OUTER
ctx_r2:         dd      CODE2, DATA2, STACK2, 2, DATA2, 0, KIND_OUTER
ctx_u32:        dd      UCODE, UDATA, USTACK, 2, UDATA, 0, KIND_OUTER
ctx_u16:        dd      UCODE16, UDATA, USTACK, 2, UDATA, BASE, KIND_OUTER
ctx_v86:        dd      REAL_SEG, REAL_STACK_SEG, 0xFFF0, FL_VM | 2, SCRATCH_SEG, BASE, KIND_V86
ctx_real:       dd      REAL_SEG, REAL_STACK_SEG, 0xFFF0, 2, SCRATCH_SEG, BASE, KIND_REAL

; A new check: the verdict on the last one, and everything as it was.
begin_check:    call    flush_check
                cld
                inc     dword [PERSIST + persist.count]
                call    skipping
                jbe     .set
                mov     eax, [esp + 4]
                mov     [current], eax
                mov     [PERSIST + persist.name], eax
.set:
                mov     dword [failure.what], 0
                mov     dword [failure.line], 0
                mov     dword [want.vector], OK
                mov     dword [want.at], 0
                mov     dword [want.cr2], -1
                mov     dword [run.eflags], 0
                mov     dword [run.handler], 0
                mov     eax, cr0
                and     eax, ~(CR0_PG | CR0_WP | CR0_AM | CR0_TS | CR0_EM | CR0_MP)
                mov     cr0, eax
                xor     eax, eax
                mov     cr3, eax
                mov     dr7, eax
                test    dword [features], HAS_VME | HAS_PSE | HAS_DE | HAS_TSC
                jz      .tables
                mov     cr4, eax
.tables:        call    fresh_tables
                call    pic_init
                xor     eax, eax
                mov     ecx, eax
                mov     edx, eax
                mov     ebx, eax
                mov     esi, eax
                mov     edi, eax
                mov     ebp, eax
                ret     4

; Behind its CALL: vector, error code, label.
set_expect:     pushfd
                push    eax
                push    esi
                mov     esi, [esp + 12]
                lodsw
                cwde
                mov     [want.vector], eax
                xor     eax, eax
                lodsw
                mov     [want.error], eax
                lodsd
                mov     [want.at], eax
                mov     [esp + 12], esi
                pop     esi
                pop     eax
                popfd
                ret

; BE: this check was made before the machine was reset.
skipping:       push    eax
                mov     eax, [PERSIST + persist.count]
                cmp     eax, [resume]
                pop     eax
                ret

; The check that was running when the machine was reset has its verdict now.
after_reset:    mov     eax, [PERSIST + persist.name]
                mov     [current], eax
                cmp     dword [PERSIST + persist.expected], 1
                je      .expected
                mov     dword [failure.what], .text
.expected:      mov     dword [PERSIST + persist.expected], 0
                jmp     flush_check
.text:          db      "the machine was reset", 0

; Runs from [run.start] in [run.ctx], with all registers as they are now (and ESP, SS of the context).
; What the caller has behind its CALL: start, end, context.
run_snippet:    pushfd
                pushad
                mov     esi, [esp + 36]
                lodsd
                mov     [run.start], eax
                lodsd
                mov     [run.end], eax
                lodsd
                mov     [run.ctx], eax
                mov     [esp + 36], esi
                call    skipping
                ja      .run
                popad
                popfd
                ret
.run:
                mov     [run.esp], esp
                mov     edi, before
                mov     esi, esp
                mov     ebx, 7                  ; PUSHAD: EDI first in memory
.save:          mov     eax, [esi + ebx * 4]
                stosd
                dec     ebx
                jns     .save
                mov     ebp, [run.ctx]
                mov     eax, [ebp + ctx.data]
                mov     ecx, 4
                rep stosd
                mov     eax, [ebp + ctx.eflags]
                or      eax, [run.eflags]
                stosd
                mov     eax, [ebp + ctx.esp]
                cmp     dword [ebp + ctx.kind], KIND_SAME
                jne     .stack
                mov     eax, esp
.stack:         mov     [before + regs.esp], eax
                mov     dword [after + regs.vector], -1
                xor     eax, eax
                mov     cr2, eax
                mov     byte [run.armed], 1
                mov     ecx, [before + regs.eflags]
                mov     edx, [run.start]
                sub     edx, [ebp + ctx.base]
                mov     eax, [ebp + ctx.kind]
                cmp     eax, KIND_REAL
                je      run_real
                cmp     eax, KIND_SAME
                je      .frame
                cmp     eax, KIND_V86
                jne     .outer
                mov     ebx, [ebp + ctx.data]
                push    ebx
                push    ebx
                push    ebx
                push    ebx
.outer:         push    dword [ebp + ctx.ss]
                push    dword [ebp + ctx.esp]
.frame:         push    ecx
                push    dword [ebp + ctx.cs]
                push    edx
                cmp     eax, KIND_V86
                je      .registers
                mov     eax, [ebp + ctx.data]
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
.registers:     ss mov  eax, [before + regs.eax]
                ss mov  ecx, [before + regs.ecx]
                ss mov  edx, [before + regs.edx]
                ss mov  ebx, [before + regs.ebx]
                ss mov  ebp, [before + regs.ebp]
                ss mov  esi, [before + regs.esi]
                ss mov  edi, [before + regs.edi]
                iretd

; --- every vector of the IDT ---
%macro stubs 0
%assign n 0
%rep 256
                push    dword n
                jmp     near catch
                times   (n + 1) * 10 - ($ - stub) db 0x90
%assign n n + 1
%endrep
%endmacro
stub:           stubs

; The stack may be any, in size and base: it is only pushed to and popped from.
catch:          push    ds
                push    dword KDATA
                pop     ds
                mov     [after + regs.eax], eax
                mov     [after + regs.ecx], ecx
                mov     [after + regs.edx], edx
                mov     [after + regs.ebx], ebx
                mov     [after + regs.ebp], ebp
                mov     [after + regs.esi], esi
                mov     [after + regs.edi], edi
                mov     [after + regs.entry], esp
                add     dword [after + regs.entry], 8
                mov     eax, cr2
                mov     [after + regs.cr2], eax
                mov     ax, es
                movzx   eax, ax
                mov     [after + regs.es], eax
                mov     ax, fs
                movzx   eax, ax
                mov     [after + regs.fs], eax
                mov     ax, gs
                movzx   eax, ax
                mov     [after + regs.gs], eax
                pop     eax
                movzx   eax, ax
                mov     [after + regs.ds], eax
                pop     eax
                mov     [after + regs.vector], eax
                mov     dword [after + regs.error], 0
                cmp     eax, 31
                ja      .no_error
                mov     ebx, 0x00227D00         ; 8, 10-14, 17, 21
                bt      ebx, eax
                jnc     .no_error
                pop     dword [after + regs.error]
.no_error:      pop     dword [after + regs.eip]
                pop     eax
                movzx   ecx, ax
                mov     [after + regs.cs], ecx
                pop     dword [after + regs.eflags]
                mov     [after + regs.esp], esp
                mov     ax, ss
                movzx   eax, ax
                mov     [after + regs.ss], eax
                test    dword [after + regs.eflags], FL_VM
                jnz     .outer
                test    cl, 3
                jz      .caught
.outer:         pop     dword [after + regs.esp]
                pop     eax
                movzx   eax, ax
                mov     [after + regs.ss], eax
                test    dword [after + regs.eflags], FL_VM
                jz      .caught
                pop     dword [after + regs.es]
                pop     dword [after + regs.ds]
                pop     dword [after + regs.fs]
                pop     dword [after + regs.gs]
.caught:        mov     ebx, esp
                mov     ax, KDATA
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                cld
                cmp     byte [run.armed], 1
                jne     unexpected
                mov     byte [run.armed], 0
                mov     esp, [run.esp]
; Also from real mode.
caught_all:     call    judge
                popad
                popfd
                ret

; A fault of the test program itself.
unexpected:     mov     esp, MAIN_STACK
                call    flush_check
                mov     esi, .text
                call    put_text
                mov     eax, [after + regs.vector]
                call    put_hex
                mov     al, '/'
                call    put_char
                mov     eax, [after + regs.error]
                call    put_hex
                mov     al, '@'
                call    put_char
                mov     eax, [after + regs.eip]
                call    put_hex
                call    put_line
                inc     dword [PERSIST + persist.failed]
                mov     dword [PERSIST + persist.magic], 0
                call    print_total
                jmp     power_off
.text:          db      "FAIL unexpected event ", 0

; --- verdicts ---

; One comparison: EAX got, EDX want, ESI what. The first difference stays.
compare:        cmp     eax, edx
                je      .end
                cmp     dword [failure.what], 0
                jne     .end
                mov     [failure.what], esi
                mov     [failure.got], eax
                mov     [failure.want], edx
.end:           ret

; is: [esp+4] its number in the check, +8 want, +12 got.
is_equal:       pushad
                cmp     dword [failure.what], 0
                jne     .end
                mov     eax, [esp + 32 + 12]
                mov     edx, [esp + 32 + 8]
                mov     esi, .line
                call    compare
                cmp     dword [failure.what], 0
                je      .end
                mov     eax, [esp + 32 + 4]
                mov     [failure.line], eax
.end:           popad
                ret     12
.line:          db      "condition ", 0

%macro must 3                                   ; got, want, text
                [section .rodata]
%%text:         db      %3, 0
                __?SECT?__
                mov     eax, %1
                mov     edx, %2
                mov     esi, %%text
                call    compare
%endmacro

judge:          mov     ebp, [run.ctx]
                mov     ecx, [run.end]
                sub     ecx, [ebp + ctx.base]
                cmp     dword [want.vector], ANY
                je      .end
                cmp     dword [want.vector], OK
                jne     .fault
                cmp     dword [ebp + ctx.kind], KIND_V86 ; INT may be #GP(0) there, which is an end as well
                jne     .ended
                cmp     dword [after + regs.vector], GP
                jne     .ended
                must    [after + regs.eip], ecx, "end"
                ret
.ended:         add     ecx, 2
                must    [after + regs.vector], OK, "vector"
                must    [after + regs.eip], ecx, "end"
                ret
.fault:         must    [after + regs.vector], [want.vector], "vector"
                must    [after + regs.error], [want.error], "error code"
                mov     ecx, [want.at]
                test    ecx, ecx
                jnz     .eip
                mov     ecx, [run.start]
.eip:           sub     ecx, [ebp + ctx.base]
                must    [after + regs.eip], ecx, "EIP"
                cmp     dword [want.cr2], -1
                je      .stack
                must    [after + regs.cr2], [want.cr2], "CR2"
.stack:         cmp     dword [ebp + ctx.kind], KIND_SAME
                je      .registers
                cmp     dword [ebp + ctx.kind], KIND_REAL
                je      .registers
                test    byte [after + regs.cs], 3
                jnz     .frame
                test    dword [after + regs.eflags], FL_VM
                jz      .registers
.frame:         must    ebx, [tss_main + tss.esp0], "frame"
.registers:     cmp     dword [want.at], 0
                jne     .end
                xor     ecx, ecx
.register:      must    [after + ecx * 4], [before + ecx * 4], "register"
                inc     ecx
                cmp     ecx, regs.eflags / 4
                jb      .register
                mov     ecx, [before + regs.eflags]
                and     ecx, ~FL_RF
                mov     edi, [after + regs.eflags]
                and     edi, ~FL_RF
                must    edi, ecx, "EFLAGS"
.end:           ret

; --- interrupts ---

; Both 8259s to vectors 40 and 48, everything masked; the timer stopped.
pic_init:       mov     al, 0x11
                out     0x20, al
                out     0xA0, al
                mov     al, IRQ_BASE
                out     0x21, al
                mov     al, IRQ_BASE + 8
                out     0xA1, al
                mov     al, 4
                out     0x21, al
                mov     al, 2
                out     0xA1, al
                mov     al, 1
                out     0x21, al
                out     0xA1, al
                mov     al, 0xFF
                out     0x21, al
                out     0xA1, al
                mov     al, 0x30                ; counter 0: mode 0, no count yet: OUT is low
                out     0x43, al
                ret

; Leaves IRQ 0 requested (IF = 0). Changes EAX, ECX.
timer_pending:  mov     al, 0xFE
                out     0x21, al
                mov     al, 0x30
                out     0x43, al
                mov     al, 20
                out     0x40, al
                mov     al, 0
                out     0x40, al
                mov     al, 0x0A                ; read IRR
                out     0x20, al
                mov     ecx, 10000000
.wait:          in      al, 0x20
                test    al, 1
                loopz   .wait
                ret

; --- real mode; variables ---

section .low
                bits    32

; EBP context, ECX EFLAGS, EDX offset of the code.
run_real:       mov     [real.ip], dx
                mov     [real.flags], cx
                lidt    [real.idtr]
                jmp     CODE16:.segment16 - BASE
                bits    16
.segment16:     mov     ax, DATA16
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                mov     eax, cr0
                and     al, ~CR0_PE
                mov     cr0, eax
                jmp     REAL_SEG:.real - BASE
.real:          mov     ax, REAL_STACK_SEG
                mov     ss, ax
                mov     esp, 0xFFF0
                mov     ax, SCRATCH_SEG
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                push    word [cs:real.flags - image]
                push    word REAL_SEG
                push    word [cs:real.ip - image]
                mov     eax, [cs:before + regs.eax - image]
                mov     ecx, [cs:before + regs.ecx - image]
                mov     edx, [cs:before + regs.edx - image]
                mov     ebx, [cs:before + regs.ebx - image]
                mov     ebp, [cs:before + regs.ebp - image]
                mov     esi, [cs:before + regs.esi - image]
                mov     edi, [cs:before + regs.edi - image]
                iret

; Every vector: CALL pushes where it came from. Also V86 mode's own handlers with VME.
real_stub:
%rep 256
                call    real_catch
%endrep
real_catch:     cli
                mov     [cs:after + regs.eax - image], eax
                mov     [cs:after + regs.ecx - image], ecx
                mov     [cs:after + regs.edx - image], edx
                mov     [cs:after + regs.ebx - image], ebx
                mov     [cs:after + regs.ebp - image], ebp
                mov     [cs:after + regs.esi - image], esi
                mov     [cs:after + regs.edi - image], edi
                xor     eax, eax
                pop     ax
                sub     ax, real_stub + 3 - BASE ; (behind its CALL)
                mov     bl, 3
                div     bl
                movzx   eax, al
                mov     [cs:after + regs.vector - image], eax
                xor     eax, eax
                mov     [cs:after + regs.error - image], eax
                mov     ax, sp
                mov     [cs:after + regs.entry - image], eax
                pop     ax
                mov     [cs:after + regs.eip - image], eax
                pop     ax
                mov     [cs:after + regs.cs - image], eax
                pop     ax
                mov     [cs:after + regs.eflags - image], eax
                mov     ax, sp
                mov     [cs:after + regs.esp - image], eax
                mov     ax, ss
                mov     [cs:after + regs.ss - image], eax
                mov     ax, ds
                mov     [cs:after + regs.ds - image], eax
                mov     ax, es
                mov     [cs:after + regs.es - image], eax
                mov     ax, fs
                mov     [cs:after + regs.fs - image], eax
                mov     ax, gs
                mov     [cs:after + regs.gs - image], eax
                o32 lgdt [cs:gdtr - image]
                mov     eax, cr0
                or      al, CR0_PE
                mov     cr0, eax
                jmp     dword KCODE:.back
                bits    32
.back:          mov     ax, KDATA
                mov     ds, ax
                mov     es, ax
                mov     fs, ax
                mov     gs, ax
                mov     ss, ax
                mov     esp, [run.esp]
                lidt    [idtr]
                mov     byte [run.armed], 0
                cld
                jmp     caught_all

low_end:        int     OK                      ; a place to end at in the first 64 KiB
                align   4
run:
.start:         dd      0
.end:           dd      0
.ctx:           dd      0
.esp:           dd      0
.eflags:        dd      0                       ; more bits of EFLAGS for the snippet
.handler:       dd      0
.armed:         dd      0
want:
.vector:        dd      0
.error:         dd      0
.at:            dd      0
.cr2:           dd      0
resume:         dd      0                       ; checks made before a reset
before:         times   regs_size / 4 dd 0
after:          times   regs_size / 4 dd 0
                align   4
gdtr:           dw      BEYOND - 1
                dd      gdt
                align   4
idtr:           dw      0x7FF
                dd      idt
real:
.ip:            dw      0
.flags:         dw      0
.idtr:          dw      0x3FF
                dd      0
section .text
                bits    32
