/* A part of sequences.def. */
#define PART 2
#define TABLE fast_sequences_2
#include "cpu/fast/sequences.h"
