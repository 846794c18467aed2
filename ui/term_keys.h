/*
 * From what a terminal sends to the keys that the user meant: characters, ECMA-48 and xterm
 * sequences with their modifiers, the Linux console's function keys, Esc alone, Alt as a prefix.
 */
#ifndef UI_TERM_KEYS_H
#define UI_TERM_KEYS_H

#include "machine/types.h"

enum { TERM_KEY_NAME = 40 };

/* Decodes the key at data[0..len): its name in sendkey's words ("ctrl-alt-f1", "up") into `keys`, or
 * for a character that a US keyboard types, that character into *ch (keys empty then; both empty: no
 * key of ours). Returns the bytes used; 0: the sequence is not complete. `final`: nothing more
 * follows for now, so that a lone Esc is the Esc key. */
size_t term_key(const char *data, size_t len, bool final, char keys[TERM_KEY_NAME], char *ch);

#endif
