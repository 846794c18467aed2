/* A part of sequences.def. */
#define PART 1
#define TABLE fast_sequences_1
#include "cpu/fast/sequences.h"
