/* Disassembler: Intel syntax, from optable.def; pure. */
#ifndef CPU_DISASM_H
#define CPU_DISASM_H

#include "machine/types.h"

/* Writes the instruction at `bytes` as Intel-syntax text ("mov eax, [ebx+8]"; branch targets as
 * absolute offsets from `eip`) and returns its length; undecodable bytes give "(bad)" and 1.
 * `code32`: CS.D. At most `avail` bytes are looked at. All opcodes of all models are known. */
unsigned disasm(const uint8_t *bytes, unsigned avail, bool code32, uint32_t eip, char *text, size_t len);

#endif
