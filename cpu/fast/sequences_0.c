/* A part of sequences.def. */
#define PART 0
#define TABLE fast_sequences_0
#include "cpu/fast/sequences.h"
