/* The packet device of a CD-ROM drive on an ATA channel. See atapi.c. */
#ifndef DEVICES_ATAPI_H
#define DEVICES_ATAPI_H

#include "machine/state.h"

enum { ATAPI_PACKET = 12, ATAPI_BLOCK = 2048, ATAPI_RAW_BLOCK = 2352 };

struct atapi_state {
    uint32_t blocks;       /* of the medium, 2048 bytes each; 0: no medium */
    uint8_t sense[3];      /* key, code, qualifier: what REQUEST SENSE reports */
    uint8_t attention[3];  /* a unit attention that the next command meets */
    uint8_t locked;        /* PREVENT MEDIUM REMOVAL */
    uint8_t open;          /* the tray is out */
    uint8_t media_event;   /* GET EVENT STATUS: 1 eject request, 2 new medium, 3 removal */
    uint8_t stopped;       /* START STOP UNIT: the disc does not turn */
    uint8_t reserved[2];
};

extern const struct state_desc atapi_desc;

#endif
