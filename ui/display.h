/* A front end's screen: the SDL window or the terminal. */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include "machine/machine.h"

struct display {
    /* Passes the user's events to the machine; false: the user closed the window. */
    bool (*poll)(struct display *d, struct machine *m);
    void (*refresh)(struct display *d, struct machine *m); /* about 60 times a second */
    void (*close)(struct display *d);
};

/* The SDL window; EMU_UNSUPPORTED where there is no display or no SDL in this build. */
MUST_CHECK enum emu_err sdl_open(const char *title, bool full_screen, struct display **out, struct error *err);

/* The guest's text screen in this terminal (or line by line, where standard output is no terminal). */
MUST_CHECK enum emu_err term_open(struct display **out, struct error *err);

#endif
