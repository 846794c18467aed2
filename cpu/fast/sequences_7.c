/* A part of sequences.def. */
#define PART 7
#define TABLE fast_sequences_7
#include "cpu/fast/sequences.h"
