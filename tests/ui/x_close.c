/* Closes an X window as a window manager does on a click on its close button: x_close WINDOW-ID. */
#include <X11/Xlib.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    Display *d = argc > 1 ? XOpenDisplay(NULL) : NULL;
    if (!d)
        return EXIT_FAILURE;
    Window w = strtoul(argv[1], NULL, 0);
    XClientMessageEvent e = {.type = ClientMessage, .window = w, .format = 32};
    e.message_type = XInternAtom(d, "WM_PROTOCOLS", False);
    e.data.l[0] = (long)XInternAtom(d, "WM_DELETE_WINDOW", False);
    XSendEvent(d, w, False, NoEventMask, (XEvent *)&e);
    XCloseDisplay(d);
    return EXIT_SUCCESS;
}
