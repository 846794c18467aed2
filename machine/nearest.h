/* "Did you mean ...?" for every list of words that a user types from. */
#ifndef MACHINE_NEAREST_H
#define MACHINE_NEAREST_H

/* The word of the NULL-terminated list with the smallest edit distance to `typed` (the first of
 * equals); "" for an empty list. */
const char *nearest_word(const char *typed, const char *const *words);

#endif
