; The LOCK prefix: what takes it, and #UD for everything else (SDM 2A LOCK; 3A 8.1.2.2).

%macro lock_ok 1+
%defstr %%text  LOCK %1
                check   "2A LOCK", %%text
                mov     ebx, SCRATCH
                mov     dword [ebx], 0
                mov     dword [ebx + 4], 0
                try     u32
                lock    %1
                yrt
%endmacro

%macro lock_ud 2+
                check   "2A LOCK", %1
                mov     ebx, SCRATCH
                expect  UD
                try     u32
                db      0xF0
                %2
                yrt
%endmacro

lock_prefix:    subject "LOCK"
                lock_ok add [ebx], eax
                lock_ok or byte [ebx], 1
                lock_ok adc word [ebx], 1
                lock_ok sbb [ebx], al
                lock_ok and dword [ebx], 1
                lock_ok sub [ebx], ax
                lock_ok xor [ebx], eax
                lock_ok inc byte [ebx]
                lock_ok dec dword [ebx]
                lock_ok not dword [ebx]
                lock_ok neg byte [ebx]
                lock_ok xchg [ebx], eax
                lock_ok xchg [ebx], al
                lock_ok bts [ebx], eax
                lock_ok btr dword [ebx], 3
                lock_ok btc [ebx], ax
                when    HAS_486
                lock_ok cmpxchg [ebx], ecx
                lock_ok xadd [ebx], ecx
                end_when
                when    HAS_CX8
                lock_ok cmpxchg8b [ebx]
                check   "2A CMPXCHG8B", "with a register operand: #UD"
                expect  UD
                try     u32
                db      0x0F, 0xC7, 0xC8
                yrt
                end_when
                lock_ud "ADD with a register as destination: #UD", add ecx, eax
                lock_ud "ADD with memory as source: #UD", add eax, [ebx]
                lock_ud "CMP: #UD", cmp [ebx], eax
                lock_ud "CMP with an immediate: #UD", cmp dword [ebx], 1
                lock_ud "TEST: #UD", test [ebx], eax
                lock_ud "MOV: #UD", mov [ebx], eax
                lock_ud "BT: #UD", bt [ebx], eax
                lock_ud "BT with an immediate: #UD", bt dword [ebx], 1
                lock_ud "XCHG of registers: #UD", xchg ecx, edx
                lock_ud "XCHG with EAX (90-97): #UD", xchg eax, ecx
                lock_ud "NOP: #UD", nop
                lock_ud "INC of a register: #UD", inc eax
                lock_ud "NOT of a register: #UD", not eax
                lock_ud "MUL of memory: #UD", mul dword [ebx]
                lock_ud "SHL of memory: #UD", shl dword [ebx], 1
                lock_ud "PUSH of memory: #UD", push dword [ebx]
                lock_ud "POP of memory: #UD", pop dword [ebx]
                lock_ud "LEA: #UD", lea eax, [ebx]
                lock_ud "MOVS: #UD", movsd
                lock_ud "JMP: #UD", jmp ebx
                lock_ud "CLI (privileged): #UD first", cli
                lock_ud "HLT (privileged): #UD first", hlt
                lock_ud "INT3: #UD", int3
                lock_ud "an ESC instruction: #UD", fnop
                lock_ud "CPUID or another two-byte opcode: #UD", lsl eax, ecx
                check   "2A LOCK", "#UD comes before the operand's page fault"
                mov     ebx, 0x12345678
                call    identity
                call    paging_on
                expect  UD
                try     u32
                db      0xF0
                mov     [ebx], eax
                yrt
                check   "2A LOCK", "a locked instruction that faults has changed nothing"
                call    identity
                page    4, PTE_P | PTE_U
                call    paging_on
                mov     ebx, at_page(4)
                mov     eax, 1
                expect  PF, PF_U | PF_W | PTE_P
                try     u32
                lock    xchg [ebx], eax
                yrt
                ret
