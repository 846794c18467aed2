/* A part of sequences.def. */
#define PART 3
#define TABLE fast_sequences_3
#include "cpu/fast/sequences.h"
