/* A part of sequences.def. */
#define PART 4
#define TABLE fast_sequences_4
#include "cpu/fast/sequences.h"
