/* A part of sequences.def. */
#define PART 6
#define TABLE fast_sequences_6
#include "cpu/fast/sequences.h"
