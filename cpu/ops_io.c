/*
 * IN, OUT, INS, OUTS (SDM 2A, 2B). Permission is checked before memory, memory before the port. The
 * string forms do one element per retired instruction, so that a device sees exact times.
 */
#include "cpu/operand.h"
#include "cpu/ops_string.h"

static uint16_t port_of(const struct cpu *c, const struct insn *i)
{
    return i->form == FORM_RI ? (uint16_t)(i->imm & 0xff) : (uint16_t)reg_read(c, REG_EDX, 2);
}

/* IN -- E4, E5, EC, ED. */
void op_in(struct cpu *c, const struct insn *i)
{
    uint16_t port = port_of(c, i);
    io_check(c, port, i->size);
    reg_write(c, REG_EAX, i->size, cpu_io_read(c, port, i->size));
}

/* OUT -- E6, E7, EE, EF. */
void op_out(struct cpu *c, const struct insn *i)
{
    uint16_t port = port_of(c, i);
    io_check(c, port, i->size);
    cpu_io_write(c, port, i->size, reg_read(c, REG_EAX, i->size));
}

static void ins_element(struct cpu *c, const struct insn *i)
{
    uint16_t port = (uint16_t)reg_read(c, REG_EDX, 2);
    uint32_t di = string_index(c, i, REG_EDI);
    if (UNLIKELY(string_overruns(c, i, REG_EDI))) {
        string_advance(c, i, REG_EDI, 1);
        string_overrun(c, i, 2);
    }
    mem_probe_write(c, SEG_ES, di, i->size);
    mem_write(c, SEG_ES, di, i->size, cpu_io_read(c, port, i->size));
    string_advance(c, i, REG_EDI, 1);
}

static void outs_element(struct cpu *c, const struct insn *i)
{
    uint16_t port = (uint16_t)reg_read(c, REG_EDX, 2);
    if (UNLIKELY(string_overruns(c, i, REG_ESI))) {
        string_advance(c, i, REG_ESI, 1);
        string_overrun(c, i, 1);
    }
    uint32_t v = (uint32_t)mem_read(c, i->seg, string_index(c, i, REG_ESI), i->size);
    cpu_io_write(c, port, i->size, v);
    string_advance(c, i, REG_ESI, 1);
}

static void port_string(struct cpu *c, const struct insn *i, string_fn *element)
{
    io_check(c, (uint16_t)reg_read(c, REG_EDX, 2), i->size);
    if (!i->rep) {
        element(c, i);
        return;
    }
    if (string_count(c, i) == 0)
        return;
    element(c, i);
    string_count_down(c, i, 1);
    if (string_count(c, i) != 0)
        string_again(c);
}

/* INS -- 6C, 6D. */
void op_ins(struct cpu *c, const struct insn *i) { port_string(c, i, ins_element); }
/* OUTS -- 6E, 6F. */
void op_outs(struct cpu *c, const struct insn *i) { port_string(c, i, outs_element); }
