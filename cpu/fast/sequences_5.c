/* A part of sequences.def. */
#define PART 5
#define TABLE fast_sequences_5
#include "cpu/fast/sequences.h"
