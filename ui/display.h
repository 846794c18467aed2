/* A front end's screen: the SDL window or the terminal. */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include "machine/machine.h"

struct display {
    /* Passes the user's events to the machine; false: the user closed the window. */
    bool (*poll)(struct display *d, struct machine *m);
    /* About 60 times a second; `changed`: the picture may differ from the last one. */
    void (*refresh)(struct display *d, struct machine *m, bool changed);
    void (*close)(struct display *d);
    bool owns_terminal; /* nothing else may write there */
};

/* The SDL window; EMU_UNSUPPORTED where there is no display or no SDL in this build. */
MUST_CHECK enum emu_err sdl_open(const char *title, bool full_screen, struct display **out, struct error *err);

/* The guest's text screen in this terminal (or, where standard output is no terminal, as plain text
 * whenever it is still); `keys`: standard input is its keyboard. */
MUST_CHECK enum emu_err term_open(bool keys, struct display **out, struct error *err);

#endif
