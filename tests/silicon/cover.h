/*
 * What the cases of a run have exercised: every form (row of cpu/optable.def, x87 opcode) by how its operand lay and how it
 * ended, and the addressing modes. `build/silicon -c` prints it, with whatever was never reached.
 */
#ifndef TESTS_SILICON_COVER_H
#define TESTS_SILICON_COVER_H

#include <stdio.h>

#include "tests/silicon/gen.h"
#include "tests/silicon/watch.h"

struct cover;

struct cover *cover_new(const struct gen *g, const struct cpu *c); /* NULL: not enough memory */
void cover_free(struct cover *v);
void cover_case(struct cover *v, const struct watch *w); /* the instructions of the case that `w` has watched */
void cover_print(const struct cover *v, FILE *to);

#endif
