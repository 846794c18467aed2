/*
 * Keys by USB HID usage (page 7) and what a PS/2 keyboard sends for them in scan code sets 1, 2 and
 * 3.
 */
#ifndef DEVICES_PS2_KEYS_H
#define DEVICES_PS2_KEYS_H

#include "machine/types.h"

enum { /* the usages that the keyboard treats by name */
    HID_PRINT_SCREEN = 0x46, HID_PAUSE = 0x48,
    HID_LEFT_CTRL = 0xe0, HID_LEFT_SHIFT, HID_LEFT_ALT, HID_LEFT_GUI,
    HID_RIGHT_CTRL, HID_RIGHT_SHIFT, HID_RIGHT_ALT, HID_RIGHT_GUI,
};

/* How Print Screen and Pause go out, which depends on the modifiers held. */
enum ps2_key_form {
    PS2_KEY_PLAIN,
    PS2_KEY_SHIFTED, /* Print Screen with Shift or Ctrl; Pause with Ctrl (Break) */
    PS2_KEY_SYSRQ,   /* Print Screen with Alt */
};

enum { PS2_KEY_BYTES = 8 }; /* the longest sequence */

/* The bytes for a key going down or up in `set` (1, 2 or 3); 0 for a key that the keyboard does not
 * have or that sends nothing. */
unsigned ps2_key_bytes(uint8_t hid, unsigned set, bool down, enum ps2_key_form form,
                       uint8_t out[PS2_KEY_BYTES]);

/* The code of a key in set 3, 0: none. */
uint8_t ps2_key_set3(uint8_t hid);

/* Whether a key sends codes over and over while it is held (all but Pause). */
bool ps2_key_repeats(uint8_t hid);

#endif
