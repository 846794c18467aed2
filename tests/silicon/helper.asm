; The native half of the silicon harness: a 32-bit program of its own that runs the cases its parent puts into
; shared memory, and survives whatever they do. Assembled as a flat binary that is an ELF file.
;
; The parent gives it the shared memory as file 3 and talks through the pipes 0 and 1. Layout and numbers are those of
; layout.h. Everything but the pages of layout.h is unmapped, so that a case finds the same address space as in
; the emulated machine; a seccomp filter leaves only the system calls used here.
;
; A case is entered with all registers, flags, segment registers and the FPU set; it ends with a jump to `exit`
; or with a signal. A signal handler finds everything in its frame and never returns: the next case sets everything anew.

BITS 32
%define BASE      0x08048000
%define CODE      0x00800000
%define DATA      0x00900000
%define STACK     0x00a00000
%define LOW_      0x00002000
%define SHARED    0x40000000
%define PAGE      4096
%define WORK      6 * PAGE
%define SLOT      1440
%define RESULT    832
%define BUFFER    (WORK + 2048 * SLOT)
%define SHARED_SIZE (WORK + 2 * BUFFER)
%define USER_DS   0x2b

ORG BASE
elf:
        db 0x7f, "ELF", 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dw 2, 3                         ; executable, 386
        dd 1, start, phdr - elf, 0, 0
        dw 52, 32, 2, 0, 0, 0
phdr:   dd 1, 0, BASE, BASE, filesize, 0x8000, 7, PAGE
        dd 0x6474e551, 0, 0, 0, 0, 0, 6, 16    ; PT_GNU_STACK: what is readable is not executable

        times 0x100 - ($ - $$) db 0

; ---- a case ends here: DS, ES, FS, GS may be anything, SS is flat -------------------------------
exit:
        mov [ss:out_esp], esp
        mov esp, stack_top
        pushfd
        mov [ss:out_eax], eax
        mov eax, ds
        mov [ss:out_ds], eax
        mov eax, es
        mov [ss:out_es], eax
        push dword 2
        popfd
        mov eax, USER_DS
        mov ds, eax
        mov es, eax
        mov eax, [slot]
        add eax, RESULT
        mov [eax + 4], ecx
        mov [eax + 8], edx
        mov [eax + 12], ebx
        mov [eax + 20], ebp
        mov [eax + 24], esi
        mov [eax + 28], edi
        mov ecx, [out_eax]
        mov [eax], ecx
        mov ecx, [out_esp]
        mov [eax + 16], ecx
        mov dword [eax + 32], exit
        mov ecx, [stack_top - 4]
        mov [eax + 36], ecx
        mov ecx, [out_es]
        mov [eax + 40], ecx
        mov [eax + 44], cs
        mov [eax + 48], ss
        mov ecx, [out_ds]
        mov [eax + 52], ecx
        mov ecx, fs
        mov [eax + 56], ecx
        mov ecx, gs
        mov [eax + 60], ecx
        mov dword [eax + 64], 0xff
        fxsave [eax + 96]

; ---- the memory: blocks that differ from the image are hashed and put back ----------------------
finish:
        mov esp, stack_top
        mov eax, [slot]
        mov ecx, [eax + 68]             ; masks
        lea edx, [eax + 72]
.mask:  sub ecx, 1
        jc .masked
        push ecx
        mov edi, [edx]
        mov ecx, [edx + 4]
        mov esi, [base]
        add esi, edi
        add edi, SHARED
        rep movsb
        pop ecx
        add edx, 8
        jmp .mask
.masked:
        mov dword [hash], 0
        mov dword [hash + 4], 0
        cmp dword [keep], 0
        jne .done
        mov esi, [base]
        mov edi, SHARED
.scan:  movdqa xmm0, [esi]
        movdqa xmm1, [esi + 16]
        movdqa xmm2, [esi + 32]
        movdqa xmm3, [esi + 48]
        pcmpeqd xmm0, [edi]
        pcmpeqd xmm1, [edi + 16]
        pcmpeqd xmm2, [edi + 32]
        pcmpeqd xmm3, [edi + 48]
        pand xmm0, xmm1
        pand xmm2, xmm3
        pand xmm0, xmm2
        pmovmskb eax, xmm0
        cmp eax, 0xffff
        jne .differs
.next:  add esi, 64
        add edi, 64
        cmp edi, SHARED + WORK
        jb .scan
.done:  mov eax, [slot]
        mov ecx, [hash]
        mov [eax + RESULT + 76], ecx
        mov ecx, [hash + 4]
        mov [eax + RESULT + 80], ecx
        add dword [slot], SLOT
        dec dword [left]
        jnz next_case
        jmp batch_done

.differs:
        xor edx, edx
.block: movdqa xmm0, [esi + edx]
        movdqa xmm1, xmm0
        pcmpeqd xmm1, [edi + edx]
        pmovmskb eax, xmm1
        cmp eax, 0xffff
        je .same
        lea ebp, [edi + edx - SHARED]   ; as silicon_hash()
        xor ebp, [hash]
        mov ebx, [hash + 4]
        xor ecx, ecx
.word:  lea eax, [edi + edx]
        xor ebp, [eax + ecx * 4]
        imul ebp, ebp, 0x9e3779b1
        rol ebx, 5
        add ebx, ebp
        inc ecx
        cmp ecx, 4
        jb .word
        mov [hash], ebp
        mov [hash + 4], ebx
        movdqa [edi + edx], xmm0
.same:  add edx, 16
        cmp edx, 64
        jb .block
        jmp .next

; ---- the next case -------------------------------------------------------------------------------
next_case:
        mov ebp, [slot]
        mov ecx, [ebp + 92]
        mov edi, [ebp + 88]
        add edi, SHARED
        lea esi, [ebp + 192]
        rep movsb
        mov ecx, [ebp + 64]
        lea esi, [ebp + 96]
.patch: sub ecx, 1
        jc .patched
        mov edi, [esi]
        mov eax, [esi + 4]
        mov [edi + SHARED], eax
        add esi, 8
        jmp .patch
.patched:
        fxrstor [ebp + 320]
        mov eax, [ebp + 32]
        mov [target], eax
        mov eax, [ebp + 44]
        mov [target + 4], eax
        mov eax, [ebp + 56]
        mov fs, eax
        mov eax, [ebp + 60]
        mov gs, eax
        push dword [ebp + 36]
        popfd
        mov eax, [ebp + 40]
        mov es, eax
        mov eax, [ebp + 52]
        mov ds, eax
        mov ebx, [cs:ebp + 12]
        mov ecx, [cs:ebp + 4]
        mov edx, [cs:ebp + 8]
        mov esi, [cs:ebp + 24]
        mov edi, [cs:ebp + 28]
        mov eax, [cs:ebp + 48]
        mov ss, eax
        mov esp, [cs:ebp + 16]
        mov eax, [cs:ebp]
        mov ebp, [cs:ebp + 20]
        jmp far [cs:target]

; ---- signals: the frame's struct sigcontext_32 is at esp + 8 --------------------------------------
timeout:
        mov dword [esp + 8 + 48], 0xfe
handler:
        cld
        mov edi, [slot]
        add edi, RESULT
        lea ebp, [esp + 8]
        mov eax, [ebp + 44]
        mov [edi], eax
        mov eax, [ebp + 40]
        mov [edi + 4], eax
        mov eax, [ebp + 36]
        mov [edi + 8], eax
        mov eax, [ebp + 32]
        mov [edi + 12], eax
        mov eax, [ebp + 28]
        mov [edi + 16], eax
        mov eax, [ebp + 24]
        mov [edi + 20], eax
        mov eax, [ebp + 20]
        mov [edi + 24], eax
        mov eax, [ebp + 16]
        mov [edi + 28], eax
        mov eax, [ebp + 56]
        mov [edi + 32], eax
        mov eax, [ebp + 64]
        mov [edi + 36], eax
        movzx eax, word [ebp + 8]
        mov [edi + 40], eax
        movzx eax, word [ebp + 60]
        mov [edi + 44], eax
        movzx eax, word [ebp + 72]
        mov [edi + 48], eax
        movzx eax, word [ebp + 12]
        mov [edi + 52], eax
        movzx eax, word [ebp + 4]
        mov [edi + 56], eax
        movzx eax, word [ebp]
        mov [edi + 60], eax
        mov eax, [ebp + 48]
        mov [edi + 64], eax
        mov eax, [ebp + 52]
        mov [edi + 68], eax
        mov eax, [ebp + 84]
        mov [edi + 72], eax
        mov esi, [ebp + 76]             ; FPU state: FSAVE image, then FXSAVE image
        add esi, 112
        add edi, 96
        mov ecx, 128
        rep movsd
        push dword 2                    ; NT, AC and ID may be set
        popfd
        jmp finish

; ---- batches -------------------------------------------------------------------------------------
batch_done:
        mov eax, 4                      ; write
        mov ebx, 1
        mov ecx, command
        mov edx, 1
        int 0x80
wait_command:
        mov esp, stack_top
        xor ebx, ebx
        mov eax, 3                      ; read
        mov ecx, command
        mov edx, 8
        int 0x80
        cmp eax, 8
        jne quit
        mov eax, 104                    ; setitimer(ITIMER_PROF): the batch's time, the kernel's for it too
        mov ebx, 2
        mov ecx, itimer
        xor edx, edx
        int 0x80
        movzx eax, word [command + 2]
        mov [keep], eax
        movzx eax, word [command]
        imul eax, BUFFER
        add eax, SHARED + WORK
        mov [base], eax
        movzx ecx, word [command + 4]
        imul ecx, SLOT
        lea ecx, [eax + ecx + WORK]
        mov [slot], ecx
        movzx ecx, word [command + 6]
        mov [left], ecx
        mov esi, eax
        mov edi, SHARED
        mov ecx, WORK / 4
        rep movsd
        cmp dword [left], 0
        je batch_done
        jmp next_case

quit:   mov eax, 1
        xor ebx, ebx
        int 0x80

; ---- set-up ------------------------------------------------------------------------------------
%macro map 4                            ; address, length, protection, file offset
        mov ebx, %1
        mov ecx, %2
        mov edx, %3
        mov ebp, (%4) / PAGE
        call map_shared
%endmacro

map_shared:                             ; MAP_SHARED | MAP_FIXED | MAP_POPULATE of file 3
        mov esi, 0x8011
        mov edi, 3
        mov eax, 192
        int 0x80
        cmp eax, ebx
        ret

%macro unmap 2                          ; from, to
        mov ebx, %1
        mov ecx, (%2) - (%1)
        mov eax, 91
        int 0x80
%endmacro

start:
        cld
        mov esp, stack_top
        unmap 0x10000, BASE
        unmap BASE + 0x8000, 0xffffe000
        map SHARED, SHARED_SIZE, 3, 0
        jne fail
        map CODE, 2 * PAGE, 7, 0
        jne fail
        map DATA, 2 * PAGE, 3, 2 * PAGE
        jne fail
        map DATA + 2 * PAGE, PAGE, 1, 4 * PAGE
        jne fail
        map STACK, PAGE, 3, 5 * PAGE
        jne fail
        map LOW_, 2 * PAGE, 3, 2 * PAGE ; may be forbidden (vm.mmap_min_addr)
        jne .no_low
        map LOW_ + 2 * PAGE, PAGE, 1, 4 * PAGE
        or byte [command], 1
.no_low:
        mov esi, ldt
        mov edi, 8
.ldt:   mov eax, 123                    ; modify_ldt; the kernel may have been built without it
        mov ebx, 0x11
        mov ecx, esi
        mov edx, 16
        int 0x80
        test eax, eax
        jnz .no_ldt
        add esi, 16
        dec edi
        jnz .ldt
        or byte [command], 2
.no_ldt:
        mov eax, 186                    ; sigaltstack
        mov ebx, altstack
        xor ecx, ecx
        int 0x80
        mov esi, signals
.signal:
        lodsb
        test al, al
        jz .signals_set
        movzx ebx, al
        mov ecx, action
        cmp al, 27
        jne .set
        mov dword [action], timeout
.set:   xor edx, edx
        push esi
        mov esi, 8
        mov eax, 174                    ; rt_sigaction
        int 0x80
        pop esi
        jmp .signal
.signals_set:
        mov eax, 172                    ; prctl(PR_SET_NO_NEW_PRIVS, 1)
        mov ebx, 38
        mov ecx, 1
        xor edx, edx
        xor esi, esi
        xor edi, edi
        int 0x80
        mov eax, 172                    ; prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER)
        mov ebx, 22
        mov ecx, 2
        mov edx, filter_program
        int 0x80
        jmp batch_done                  ; says what there is: 1 low addresses, 2 an LDT

fail:   mov eax, 1
        mov ebx, 1
        int 0x80

signals: db 4, 5, 7, 8, 11, 27, 0       ; ILL TRAP BUS FPE SEGV PROF

        align 8
action: dd handler, 0x4c000000, handler, 0, 0  ; SA_NODEFER | SA_ONSTACK | SA_RESTORER
altstack: dd signal_stack, 0, 0x4000
itimer: dd 1, 0, 3, 0                   ; after 3 s, then every second
; Only write, read, setitimer, exit; anything else is answered with ENOSYS.
filter_program: dw (filter_end - filter) / 8, 0
        dd filter
filter: dw 0x20                         ; load the number
        db 0, 0
        dd 0
%macro allow 2
        dw 0x15
        db %2, 0
        dd %1
%endmacro
        allow 1, 4
        allow 3, 3
        allow 4, 2
        allow 104, 1
        dw 0x06
        db 0, 0
        dd 0x00050026                   ; errno ENOSYS
        dw 0x06
        db 0, 0
        dd 0x7fff0000                   ; allow
filter_end:

        align 4
; struct user_desc: entry, base, limit; 32-bit 1, contents 2, no writing or reading 8, in pages 16, absent 32, usable 64
ldt:    dd 0, DATA, 0x2fff, 0x41
        dd 1, DATA + 0x804, 0x7fe, 0x41
        dd 2, DATA, 0xfff, 0x43
        dd 3, DATA, 0x1fff, 0x49
        dd 4, CODE, 0x1fff, 0x45
        dd 5, CODE, 0x1fff, 0x4c
        dd 6, DATA, 0xffff, 0x61
        dd 7, STACK, 0xfff, 0x40
command: dd 0, 0
target: dd 0, 0
slot:   dd 0
base:   dd 0
left:   dd 0
keep:   dd 0
hash:   dd 0, 0
out_esp: dd 0
out_eax: dd 0
out_ds: dd 0
out_es: dd 0
filesize equ $ - $$
stack_top equ BASE + 0x2000
signal_stack equ BASE + 0x3000
