/*
 * The decoder and its table. Expected values are read off the opcode maps and ModRM tables of the SDM
 * (2A chapter 2, 2D appendix A), for the older chips off the 80286PRM and the 8086 Family User's Manual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/optable.h"

enum { CODE16 = 0, CODE32 = DECODE_CODE32 };
static const uint64_t ALL = FEAT_CMOV | FEAT_MMX | FEAT_TSC | FEAT_MSR | FEAT_CX8 | FEAT_SEP | FEAT_FXSR;

static struct insn decoded(unsigned mode, unsigned level, const char *bytes, unsigned n, unsigned length)
{
    struct insn i;
    uint8_t buf[15] = {0};
    memcpy(buf, bytes, n);
    uint64_t features = ALL | (level >= CPU_486 ? FEAT_BSWAP : 0);
    assert_int_equal(decode(buf, 15, mode, level, features, &i), length);
    assert_int_equal(i.len, length);
    return i;
}
#define D(mode, level, bytes, length) decoded(mode, level, bytes, sizeof(bytes) - 1, length)

/* SDM 2A table 2-1: 00 06 is [disp16], 42 is [BP+SI+disp8]; BP forms use SS. */
static void sixteen_bit_addresses_follow_table_2_1(void **state)
{
    (void)state;
    struct insn i = D(CODE16, CPU_386, "\x8b\x06\x34\x12", 4);
    assert_int_equal(i.op, OP_MOV);
    assert_int_equal(i.form, FORM_RM);
    assert_int_equal(i.size, 2);
    assert_int_equal(i.base, REG_NONE);
    assert_int_equal(i.disp, 0x1234);
    assert_int_equal(i.seg, SEG_DS);
    i = D(CODE16, CPU_386, "\x8b\x42\xf0", 3);
    assert_int_equal(i.base, REG_EBP);
    assert_int_equal(i.index, REG_ESI);
    assert_int_equal(i.disp, 0xfffffff0);
    assert_int_equal(i.seg, SEG_SS);
    i = D(CODE16, CPU_386, "\x8b\x46\x00", 3); /* [BP+0] */
    assert_int_equal(i.base, REG_EBP);
    assert_int_equal(i.index, REG_NONE);
}

/* SDM 2A tables 2-2 and 2-3. */
static void thirty_two_bit_addresses_follow_tables_2_2_and_2_3(void **state)
{
    (void)state;
    struct insn i = D(CODE32, CPU_386, "\x89\x44\xb5\x04", 4); /* mov [ebp+esi*4+4], eax */
    assert_int_equal(i.form, FORM_MR);
    assert_int_equal(i.base, REG_EBP);
    assert_int_equal(i.index, REG_ESI);
    assert_int_equal(i.scale, 2);
    assert_int_equal(i.seg, SEG_SS);
    i = D(CODE32, CPU_386, "\x8b\x04\x24", 3); /* mov eax, [esp] */
    assert_int_equal(i.base, REG_ESP);
    assert_int_equal(i.index, REG_NONE);
    assert_int_equal(i.seg, SEG_SS);
    i = D(CODE32, CPU_386, "\x8b\x04\x8d\x78\x56\x34\x12", 7); /* mov eax, [ecx*4+12345678] */
    assert_int_equal(i.base, REG_NONE);
    assert_int_equal(i.index, REG_ECX);
    assert_int_equal(i.disp, 0x12345678);
    assert_int_equal(i.seg, SEG_DS);
    i = D(CODE32, CPU_386, "\x8b\x0d\x78\x56\x34\x12", 6); /* mov ecx, [12345678] */
    assert_int_equal(i.base, REG_NONE);
    assert_int_equal(i.dst, REG_ECX);
}

static void size_prefixes_change_operand_and_address_size(void **state)
{
    (void)state;
    struct insn i = D(CODE32, CPU_386, "\x66\x05\x34\x12", 4); /* add ax, 1234 */
    assert_int_equal(i.size, 2);
    assert_int_equal(i.imm, 0x1234);
    i = D(CODE16, CPU_386, "\x66\x05\x78\x56\x34\x12", 6);
    assert_int_equal(i.size, 4);
    i = D(CODE16, CPU_386, "\x67\x8b\x04\x24", 4);
    assert_int_equal(i.asize, 4);
    assert_int_equal(i.base, REG_ESP);
    i = D(CODE32, CPU_386, "\x66\x66\x90", 3);
    assert_int_equal(i.op, OP_NOP);
}

/* SDM 2A 2.1.1: one prefix of a group counts; of segment overrides the last. */
static void the_last_of_several_prefixes_wins(void **state)
{
    (void)state;
    struct insn i = D(CODE16, CPU_386, "\x26\x64\x8a\x07", 4);
    assert_int_equal(i.seg, SEG_FS);
    i = D(CODE16, CPU_386, "\xf2\xf3\xa4", 3);
    assert_int_equal(i.op, OP_MOVS);
    assert_int_equal(i.rep, REP_Z);
}

static void immediates_are_extended_as_the_manual_says(void **state)
{
    (void)state;
    assert_int_equal(D(CODE32, CPU_386, "\x83\xc0\xff", 3).imm, 0xffffffff); /* add eax, -1 */
    assert_int_equal(D(CODE32, CPU_386, "\x6a\x80", 2).imm, 0xffffff80);
    assert_int_equal(D(CODE32, CPU_386, "\x6a\x80", 2).size, 4);
    assert_int_equal(D(CODE32, CPU_386, "\xeb\xfe", 2).imm, 0xfffffffe);
    assert_int_equal(D(CODE32, CPU_386, "\xcd\x80", 2).imm, 0x80);
    assert_int_equal(D(CODE16, CPU_386, "\xe9\xfd\xff", 3).imm, 0xfffffffd);
    struct insn i = D(CODE16, CPU_386, "\xc8\x10\x00\x02", 4);
    assert_int_equal(i.op, OP_ENTER);
    assert_int_equal(i.imm, 0x10);
    assert_int_equal(i.imm2, 2);
    i = D(CODE16, CPU_386, "\xea\x5b\xe0\x00\xf0", 5);
    assert_int_equal(i.op, OP_JMPF);
    assert_int_equal(i.imm, 0xe05b);
    assert_int_equal(i.imm2, 0xf000);
    i = D(CODE32, CPU_386, "\xa1\x78\x56\x34\x12", 5);
    assert_int_equal(i.form, FORM_RM);
    assert_int_equal(i.disp, 0x12345678);
}

static void forms_name_destination_and_source(void **state)
{
    (void)state;
    struct insn i = D(CODE32, CPU_386, "\x01\xc8", 2); /* add eax, ecx */
    assert_int_equal(i.form, FORM_RR);
    assert_int_equal(i.dst, REG_EAX);
    assert_int_equal(i.src, REG_ECX);
    i = D(CODE32, CPU_386, "\x69\xc8\x01\x00\x00\x00", 6); /* imul ecx, eax, 1 */
    assert_int_equal(i.form, FORM_RRI);
    assert_int_equal(i.dst, REG_ECX);
    i = D(CODE32, CPU_386, "\x0f\xa5\x03", 3); /* shld [ebx], eax, cl */
    assert_int_equal(i.form, FORM_MR);
    assert_true(i.flags & INSN_CL);
    i = D(CODE32, CPU_386, "\x0f\xac\x03\x05", 4); /* shrd [ebx], eax, 5 */
    assert_int_equal(i.form, FORM_MRI);
    assert_int_equal(i.imm, 5);
    i = D(CODE32, CPU_386, "\xd1\xe0", 2); /* shl eax, 1 */
    assert_int_equal(i.form, FORM_RI);
    assert_int_equal(i.imm, 1);
    i = D(CODE32, CPU_386, "\x8e\xd8", 2); /* mov ds, ax */
    assert_int_equal(i.op, OP_MOVTOSEG);
    assert_int_equal(i.dst, SEG_DS);
    i = D(CODE32, CPU_386, "\x0f\x22\xd8", 3); /* mov cr3, eax */
    assert_int_equal(i.op, OP_MOVTOCR);
    assert_int_equal(i.dst, 3);
    assert_int_equal(i.src, REG_EAX);
    i = D(CODE32, CPU_386, "\x0f\xb6\xc4", 3); /* movzx eax, ah */
    assert_int_equal(i.op, OP_MOVZX8);
    assert_int_equal(i.src, 4);
    assert_int_equal(i.size, 4);
    assert_int_equal(D(CODE32, CPU_386, "\xee", 1).form, FORM_RR);
    assert_int_equal(D(CODE32, CPU_386, "\xe4\x60", 2).form, FORM_RI);
}

/* SDM 2A LOCK: only certain instructions, only with a memory destination. */
static void lock_is_undefined_where_the_manual_forbids_it(void **state)
{
    (void)state;
    assert_int_equal(D(CODE32, CPU_386, "\xf0\x01\x03", 3).op, OP_ADD);
    assert_int_equal(D(CODE32, CPU_386, "\xf0\x01\xc3", 3).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xf0\x03\x03", 3).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xf0\x39\x03", 3).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xf0\x90", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_486, "\xf0\x0f\xb1\x0b", 4).op, OP_CMPXCHG);
    assert_int_equal(D(CODE16, CPU_286, "\xf0\x90", 2).op, OP_NOP);
}

/* 8086 Family User's Manual 4-14 and the chip's incomplete decoding. */
static void the_8086_has_its_aliases(void **state)
{
    (void)state;
    assert_int_equal(D(CODE16, CPU_8086, "\x64\x05", 2).op, OP_JCC);
    assert_int_equal(D(CODE16, CPU_8086, "\x64\x05", 2).cc, 4);
    assert_int_equal(D(CODE16, CPU_8086, "\x0f", 1).op, OP_POPSEG);
    assert_int_equal(D(CODE16, CPU_8086, "\x0f", 1).dst, SEG_CS);
    assert_int_equal(D(CODE16, CPU_8086, "\xc0\x04\x00", 3).op, OP_RET);
    assert_int_equal(D(CODE16, CPU_8086, "\xc9", 1).op, OP_RETF);
    assert_int_equal(D(CODE16, CPU_8086, "\xd0\xf0", 2).op, OP_SETMO);
    assert_int_equal(D(CODE16, CPU_8086, "\xd6", 1).op, OP_SALC);
    assert_int_equal(D(CODE16, CPU_8086, "\xf6\xc8\x01", 3).op, OP_TEST);
    assert_int_equal(D(CODE16, CPU_8086, "\x8e\xe8", 2).dst, SEG_CS); /* two bits are decoded */
    assert_int_equal(D(CODE16, CPU_8086, "\xff\xf8", 2).op, OP_PUSH);
}

static void opcodes_appear_with_their_model(void **state)
{
    (void)state;
    assert_int_equal(D(CODE16, CPU_186, "\x60", 1).op, OP_PUSHA);
    assert_int_equal(D(CODE16, CPU_186, "\xd0\xf0", 2).op, OP_SAL);
    assert_int_equal(D(CODE16, CPU_186, "\x0f", 1).op, OP_UD);
    assert_int_equal(D(CODE16, CPU_286, "\x0f\x05", 2).op, OP_LOADALL286);
    assert_int_equal(D(CODE16, CPU_386, "\x0f\x05", 2).op, OP_UD);
    assert_int_equal(D(CODE16, CPU_286, "\x66", 1).op, OP_UD);
    assert_int_equal(D(CODE16, CPU_286, "\x0f\x80", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\x0f\xc8", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_486, "\x0f\xc8", 2).op, OP_BSWAP);
    assert_int_equal(D(CODE32, CPU_486, "\x0f\x31", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_PENTIUM, "\x0f\x31", 2).op, OP_RDTSC);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x1f\x44\x00\x00", 5).op, OP_NOPRM);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x44\xc1", 3).op, OP_CMOV);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\xfc\xc1", 3).op, OP_MMX);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x58\xc1", 2).op, OP_UD); /* no SSE */
}

/* SDM 2B MOV, 2A LEA, LDS, BOUND: register forms and segment numbers that are undefined. */
/* SDM 2B MOV to and from control registers: the two bits of mod are ignored. */
static void control_and_debug_register_moves_have_no_displacement(void **state)
{
    (void)state;
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x20\x00", 3).op, OP_MOVFROMCR);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x22\x44", 3).op, OP_MOVTOCR);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\x23\xb3", 3).op, OP_MOVTODR);
}

static void illegal_operands_are_undefined(void **state)
{
    (void)state;
    assert_int_equal(D(CODE32, CPU_386, "\x8e\xc8", 2).op, OP_UD); /* mov cs, ax */
    assert_int_equal(D(CODE32, CPU_386, "\x8e\xf0", 2).op, OP_UD); /* segment register 6 */
    assert_int_equal(D(CODE16, CPU_286, "\x8c\xe0", 2).op, OP_UD); /* no FS */
    assert_int_equal(D(CODE32, CPU_386, "\x8d\xc0", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xc5\xc0", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\x62\xc0", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xff\xd8", 2).op, OP_UD); /* far call to a register */
    assert_int_equal(D(CODE32, CPU_386, "\xff\xf8", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\xfe\xd0", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_386, "\x8f\xc8", 2).op, OP_UD);
    assert_int_equal(D(CODE32, CPU_P6, "\x0f\xc7\xc8", 3).op, OP_UD);
}

/* SDM 2A 2.3.11: 15 bytes; 80286PRM 9.7: 10 bytes. */
static void too_long_instructions_are_noticed(void **state)
{
    (void)state;
    struct insn i = D(CODE32, CPU_386, "\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26", 15);
    assert_int_equal(i.op, OP_TOO_LONG);
    i = D(CODE32, CPU_386, "\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x90", 15);
    assert_int_equal(i.op, OP_NOP);
    i = D(CODE16, CPU_286, "\x26\x26\x26\x26\x26\x26\x26\x26\x26\x26\x90", 10);
    assert_int_equal(i.op, OP_TOO_LONG);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

/* Any bytes decode; fewer bytes than the length ask for more, and no byte behind it matters. */
static void decoding_is_total_and_reads_no_further_than_its_length(void **state)
{
    (void)state;
    uint32_t seed = 2463534242u;
    for (unsigned n = 0; n < 200000; n++) {
        uint8_t b[15];
        struct insn whole, part;
        for (unsigned k = 0; k < 15; k++)
            b[k] = (uint8_t)(next_random(&seed) >> 11);
        unsigned level = next_random(&seed) % 7, mode = level >= CPU_386 ? next_random(&seed) & 1 : 0;
        unsigned len = decode(b, 15, mode, level, ~0ull, &whole);
        assert_in_range(len, 1, 15);
        assert_int_equal(decode(b, len - 1, mode, level, ~0ull, &part), 0);
        memset(b + len, 0xcc, 15 - len);
        assert_int_equal(decode(b, len, mode, level, ~0ull, &part), len);
        assert_memory_equal(&whole, &part, sizeof(whole));
        assert_true(whole.op < OP_COUNT);
        assert_true(whole.base <= REG_NONE && whole.index <= REG_NONE && whole.seg <= SEG_GS);
        assert_true(whole.asize == 2 || whole.asize == 4);
    }
}

/* No row is hidden behind an earlier one: for each there is a model, ModRM and prefix that selects it. */
static bool row_is_reachable(const struct optable_entry *e)
{
    static const unsigned prefixes[] = {0, S_66, S_F3, S_F2};
    unsigned level = (unsigned)e->levels >> 4;
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        for (unsigned p = 0; p < 4; p++) {
            uint64_t features[] = {~0ull, e->feature};
            for (unsigned f = 0; f < 2; f++) {
                if (optable_lookup(e->opcode, (uint8_t)modrm, prefixes[p], level, features[f]) == e)
                    return true;
            }
        }
    }
    return false;
}

static void every_row_of_the_table_is_reachable(void **state)
{
    (void)state;
    unsigned count;
    const struct optable_entry *rows = optable_rows(&count);
    assert_true(count > 500);
    for (unsigned k = 0; k < count; k++) {
        if (!row_is_reachable(&rows[k]))
            fail_msg("row %u: opcode %04x %s cannot be selected", k, rows[k].opcode, rows[k].mnemonic);
        assert_int_equal(rows[k].written & rows[k].undefined, 0);
        if (k > 0 && rows[k].more)
            assert_int_equal(rows[k].opcode, rows[k - 1].opcode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bit_addresses_follow_table_2_1),
        cmocka_unit_test(thirty_two_bit_addresses_follow_tables_2_2_and_2_3),
        cmocka_unit_test(size_prefixes_change_operand_and_address_size),
        cmocka_unit_test(the_last_of_several_prefixes_wins),
        cmocka_unit_test(immediates_are_extended_as_the_manual_says),
        cmocka_unit_test(forms_name_destination_and_source),
        cmocka_unit_test(lock_is_undefined_where_the_manual_forbids_it),
        cmocka_unit_test(the_8086_has_its_aliases),
        cmocka_unit_test(opcodes_appear_with_their_model),
        cmocka_unit_test(illegal_operands_are_undefined),
        cmocka_unit_test(control_and_debug_register_moves_have_no_displacement),
        cmocka_unit_test(too_long_instructions_are_noticed),
        cmocka_unit_test(decoding_is_total_and_reads_no_further_than_its_length),
        cmocka_unit_test(every_row_of_the_table_is_reachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
