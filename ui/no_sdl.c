/* A build without SDL2: there is no window to open. */
#include "ui/display.h"

#ifndef HAVE_SDL
enum emu_err sdl_open(const char *title, bool full_screen, struct display **out, struct error *err)
{
    (void)title, (void)full_screen, (void)out;
    return error_set(err, EMU_UNSUPPORTED, "this build has no SDL2 window (install libsdl2-dev and run ./configure again)");
}
#endif
