/*
 * What the front end watches so that an idle guest costs nothing: whether the picture changed, and
 * whether the guest only waits for a key by asking the BIOS again and again, as DOS does at its
 * prompt. Both only look at the machine.
 */
#ifndef UI_WATCH_H
#define UI_WATCH_H

#include "machine/machine.h"

struct watch {
    uint8_t *shown; /* display memory as it was last seen */
    size_t shown_len, shown_cap;
    uint64_t registers, phase, icount;
    unsigned still;  /* looks since the picture last changed */
    unsigned skip;   /* looks left out: a large picture that is still is compared less often */
    /* Waiting by polling. */
    uint64_t transfers;      /* hash of DMA and floppy controller */
    size_t inputs;
    unsigned quiet, in_bios; /* looks without input and disk work; those of them in the BIOS */
};

/* One look, about 60 times a second: true if the picture may differ from the last look's. */
bool watch_picture(struct watch *w, struct machine *m);
/* One look, after watch_picture(): true while the guest waits for input by polling. */
bool watch_polling(struct watch *w, const struct machine *m, bool picture_changed);
void watch_free(struct watch *w);

#endif
