/*
 * The SDL2 window: picture, keyboard by scancode, mouse with grab. SDL scancodes are USB HID usages of
 * page 7, which is what the machine takes, so no key map is needed and any host layout works as the
 * guest's own. Where OpenGL would be drawn by the CPU, the picture is scaled here, and only the rows
 * that changed are.
 */
#include <SDL.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/pc.h"
#include "ui/display.h"
#include "ui/stretch.h"

struct sdl_window {
    struct display base;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    bool software;    /* no GPU: scaled here, renderer and texture are NULL */
    struct surface picture, shown; /* shown: what is on the screen, for `software` */
    uint32_t *scratch;             /* a row of the picture */
    char title[128];
    bool grabbed, full_screen, paused;
    bool resized;     /* by the user: the window no longer follows the mode */
    int asked_w, asked_h; /* the size that we last set */
    bool stale;       /* what is on the screen must be drawn again */
    unsigned buttons;
    bool down[256]; /* keys that the guest believes are down */
};

enum { MIN_WIDTH = 640, MIN_HEIGHT = 480, HID_KEYS = 232 };
enum { FIRST_WIDTH = 720, FIRST_HEIGHT = 540 }; /* text mode as a 4:3 tube shows it */
enum { SQUARE_PIXELS = 800 }; /* modes of this width and more were made for square pixels */

static void set_title(struct sdl_window *w)
{
    char text[200];
    snprintf(text, sizeof(text), "%s%s%s", w->title, w->paused ? " [paused]" : "",
             w->grabbed ? " - Ctrl-Alt-G releases the mouse" : "");
    SDL_SetWindowTitle(w->window, text);
}

static void set_grab(struct sdl_window *w, bool on)
{
    w->grabbed = on;
    SDL_SetRelativeMouseMode(on ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowKeyboardGrab(w->window, on ? SDL_TRUE : SDL_FALSE);
    set_title(w);
}

/* --- keyboard --- */

static void key(struct sdl_window *w, struct machine *m, unsigned hid, bool down)
{
    if (hid == 0 || hid >= HID_KEYS || (!down && !w->down[hid]))
        return;
    w->down[hid] = down;
    machine_key(m, (uint8_t)hid, down);
}

/* The window lost the keyboard: no key stays stuck in the guest. */
static void release_keys(struct sdl_window *w, struct machine *m)
{
    for (unsigned hid = 0; hid < HID_KEYS; hid++) {
        if (w->down[hid])
            key(w, m, hid, false);
    }
}

static void toggle_full_screen(struct sdl_window *w)
{
    w->full_screen = !w->full_screen;
    SDL_SetWindowFullscreen(w->window, w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    w->stale = true;
}

/* Ctrl-Alt-G, Ctrl-Alt-F; true: it was ours. */
static bool hot_key(struct sdl_window *w, struct machine *m, const SDL_KeyboardEvent *e)
{
    bool ctrl_alt = (e->keysym.mod & KMOD_CTRL) && (e->keysym.mod & KMOD_ALT);
    if (!ctrl_alt || e->type != SDL_KEYDOWN || e->repeat)
        return false;
    if (e->keysym.scancode == SDL_SCANCODE_G)
        set_grab(w, !w->grabbed);
    else if (e->keysym.scancode == SDL_SCANCODE_F)
        toggle_full_screen(w);
    else
        return false;
    release_keys(w, m);
    return true;
}

static void on_key(struct sdl_window *w, struct machine *m, const SDL_KeyboardEvent *e)
{
    if (hot_key(w, m, e) || e->repeat) /* the guest's keyboard repeats by itself */
        return;
    key(w, m, (unsigned)e->keysym.scancode, e->type == SDL_KEYDOWN);
}

/* --- mouse --- */

static void on_button(struct sdl_window *w, struct machine *m, const SDL_MouseButtonEvent *e)
{
    static const uint8_t bits[] = {0, 1, 4, 2}; /* SDL: 1 left, 2 middle, 3 right */
    bool down = e->type == SDL_MOUSEBUTTONDOWN;
    if (!w->grabbed) {
        if (down && e->button == SDL_BUTTON_LEFT)
            set_grab(w, true);
        return;
    }
    if (e->button > 3)
        return;
    w->buttons = down ? w->buttons | bits[e->button] : w->buttons & ~(unsigned)bits[e->button];
    machine_mouse(m, 0, 0, 0, w->buttons);
}

static void on_window(struct sdl_window *w, struct machine *m, const SDL_WindowEvent *e)
{
    w->stale = true; /* exposed, resized: draw again */
    if (e->event == SDL_WINDOWEVENT_FOCUS_LOST) {
        release_keys(w, m);
        if (w->grabbed)
            set_grab(w, false);
    }
    if (e->event == SDL_WINDOWEVENT_RESIZED && !w->full_screen)
        w->resized = e->data1 != w->asked_w || e->data2 != w->asked_h;
}

/* An image: into its drive. */
static void on_drop(struct sdl_window *w, struct machine *m, char *path)
{
    struct error err;
    if (machine_drop_file(m, path, &err))
        SDL_ShowSimpleMessageBox(SDL_MESSAGEBOX_WARNING, w->title, err.text, w->window);
    SDL_free(path);
}

static void on_event(struct sdl_window *w, struct machine *m, const SDL_Event *e, bool *quit)
{
    switch (e->type) {
    case SDL_QUIT: *quit = true; break;
    case SDL_KEYDOWN:
    case SDL_KEYUP: on_key(w, m, &e->key); break;
    case SDL_MOUSEMOTION:
        if (w->grabbed)
            machine_mouse(m, e->motion.xrel, e->motion.yrel, 0, w->buttons);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: on_button(w, m, &e->button); break;
    case SDL_MOUSEWHEEL:
        if (w->grabbed)
            machine_mouse(m, 0, 0, -e->wheel.y, w->buttons);
        break;
    case SDL_WINDOWEVENT:
        on_window(w, m, &e->window);
        break;
    case SDL_DROPFILE: on_drop(w, m, e->drop.file); break;
    default: break;
    }
}

static bool poll_window(struct display *d, struct machine *m)
{
    struct sdl_window *w = (struct sdl_window *)d;
    SDL_Event e;
    bool quit = false;
    while (SDL_PollEvent(&e))
        on_event(w, m, &e, &quit);
    return !quit;
}

/* --- picture --- */

/* PC pictures fill a 4:3 tube whatever their pixel counts; the large VBE modes have square pixels. */
static SDL_Rect place(const struct sdl_window *w, int out_w, int out_h)
{
    bool square = w->picture.width >= SQUARE_PIXELS;
    double aspect = square ? (double)w->picture.width / w->picture.height : 4.0 / 3.0;
    SDL_Rect r = {0, 0, out_w, out_h};
    if (out_w > out_h * aspect)
        r.w = (int)(out_h * aspect + 0.5);
    else
        r.h = (int)(out_w / aspect + 0.5);
    r.x = (out_w - r.w) / 2;
    r.y = (out_h - r.h) / 2;
    return r;
}

/* The window takes the size of the mode, until the user chooses one. */
static void fit_window(struct sdl_window *w)
{
    if (w->full_screen || w->resized)
        return;
    int width = (int)w->picture.width < MIN_WIDTH ? MIN_WIDTH : (int)w->picture.width;
    int height = w->picture.width >= SQUARE_PIXELS ? (int)w->picture.height : width * 3 / 4;
    w->asked_w = width;
    w->asked_h = height < MIN_HEIGHT ? MIN_HEIGHT : height;
    SDL_SetWindowSize(w->window, w->asked_w, w->asked_h);
}

/* A texture of the picture's size. */
static bool fit_texture(struct sdl_window *w)
{
    int tw = 0, th = 0;
    if (w->texture)
        SDL_QueryTexture(w->texture, NULL, NULL, &tw, &th);
    if (tw == (int)w->picture.width && th == (int)w->picture.height)
        return true;
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    w->texture = SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   (int)w->picture.width, (int)w->picture.height);
    fit_window(w);
    return w->texture != NULL;
}

static void show(struct sdl_window *w)
{
    int out_w, out_h;
    if (!fit_texture(w))
        return;
    SDL_UpdateTexture(w->texture, NULL, w->picture.pixels, (int)(w->picture.stride * sizeof(uint32_t)));
    SDL_GetRendererOutputSize(w->renderer, &out_w, &out_h);
    SDL_Rect r = place(w, out_w, out_h);
    SDL_SetRenderDrawColor(w->renderer, 0, 0, 0, 255);
    SDL_RenderClear(w->renderer);
    SDL_RenderCopy(w->renderer, w->texture, NULL, &r);
    SDL_RenderPresent(w->renderer);
}

/* --- the same without a GPU --- */

/* The picture's rows that differ from the screen's: [*first, *end). */
static void changed_rows(const struct sdl_window *w, uint32_t *first, uint32_t *end)
{
    const struct surface *now = &w->picture, *old = &w->shown;
    size_t len = now->width * sizeof(uint32_t);
    *first = 0;
    *end = now->height;
    if (old->width != now->width || old->height != now->height || w->stale)
        return;
    while (*first < *end && memcmp(surface_row(now, *first), surface_row(old, *first), len) == 0)
        ++*first;
    while (*end > *first && memcmp(surface_row(now, *end - 1), surface_row(old, *end - 1), len) == 0)
        --*end;
}

/* Remembers what is on the screen now; makes room for a row. */
static bool keep(struct sdl_window *w)
{
    struct error err;
    const struct surface *now = &w->picture;
    uint32_t *row = realloc(w->scratch, now->width * sizeof(uint32_t));
    if (row)
        w->scratch = row;
    if (!row || surface_resize(&w->shown, now->width, now->height, &err))
        return false; /* no memory on the host: the next picture may fit again */
    for (uint32_t y = 0; y < now->height; y++)
        memcpy(surface_row(&w->shown, y), surface_row(now, y), now->width * sizeof(uint32_t));
    return true;
}

static void show_software(struct sdl_window *w)
{
    uint32_t from, from_end, first, end;
    bool new_size = w->shown.width != w->picture.width || w->shown.height != w->picture.height;
    if (new_size)
        fit_window(w);
    SDL_Surface *window = SDL_GetWindowSurface(w->window);
    changed_rows(w, &from, &from_end);
    if (!window || window->format->BytesPerPixel != 4 || from == from_end || !keep(w))
        return;
    SDL_Rect r = place(w, window->w, window->h);
    struct stretch s = {&w->shown, (uint32_t)r.w, (uint32_t)r.h};
    if (new_size || w->stale)
        SDL_FillRect(window, NULL, 0);
    if (SDL_LockSurface(window) != 0)
        return;
    stretch_range(&s, from, from_end, &first, &end);
    for (uint32_t y = first; y < end; y++)
        stretch_row(&s, y, w->scratch, (uint32_t *)((uint8_t *)window->pixels + (r.y + (int)y) * window->pitch) + r.x);
    SDL_UnlockSurface(window);
    SDL_Rect part = {r.x, r.y + (int)first, r.w, (int)(end - first)}, all = {0, 0, window->w, window->h};
    SDL_UpdateWindowSurfaceRects(w->window, new_size || w->stale ? &all : &part, 1);
}

static void refresh_window(struct display *d, struct machine *m, bool changed)
{
    struct sdl_window *w = (struct sdl_window *)d;
    if (w->paused == m->running) {
        w->paused = !m->running;
        set_title(w);
    }
    if (!changed && !w->stale)
        return;
    machine_draw(m, &w->picture);
    if (w->picture.width && w->software)
        show_software(w);
    else if (w->picture.width)
        show(w);
    w->stale = false;
}

/* OpenGL on a host without a GPU: Mesa draws with all cores, for what SDL itself does at a third of
 * the cost. */
static bool renderer_is_slow(SDL_Renderer *r)
{
    enum { GL_RENDERER_NAME = 0x1f01 }; /* GL_RENDERER */
    static const char *const names[] = {"llvmpipe", "softpipe", "Software Rasterizer", "SwiftShader"};
    typedef const unsigned char *(*get_string)(unsigned name);
    SDL_RendererInfo info;
    if (SDL_GetRendererInfo(r, &info) != 0 || strncmp(info.name, "opengl", 6) != 0)
        return false;
    get_string gl_get_string = (get_string)SDL_GL_GetProcAddress("glGetString");
    const char *is = gl_get_string ? (const char *)gl_get_string(GL_RENDERER_NAME) : NULL;
    for (size_t i = 0; is && i < ARRAY_LEN(names); i++) {
        if (strstr(is, names[i]))
            return true;
    }
    return false;
}

/* Shown when it is complete: for a renderer SDL may make the window anew. */
static bool make_window(struct sdl_window *w)
{
    uint32_t flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_HIDDEN | (w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    w->window = SDL_CreateWindow(w->title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, FIRST_WIDTH, FIRST_HEIGHT, flags);
    if (w->window && !w->software)
        w->renderer = SDL_CreateRenderer(w->window, -1, 0);
    if (!w->window || !(w->renderer || (w->software && SDL_GetWindowSurface(w->window))))
        return false;
    SDL_ShowWindow(w->window);
    return true;
}

static void drop_window(struct sdl_window *w)
{
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    if (w->renderer)
        SDL_DestroyRenderer(w->renderer);
    if (w->window)
        SDL_DestroyWindow(w->window);
    w->texture = NULL;
    w->renderer = NULL;
    w->window = NULL;
}

static void close_window(struct display *d)
{
    struct sdl_window *w = (struct sdl_window *)d;
    drop_window(w);
    surface_free(&w->picture);
    surface_free(&w->shown);
    free(w->scratch);
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    free(w);
}

/* A window that some renderer can draw in. */
static bool open_window(struct sdl_window *w)
{
    if (make_window(w) && !renderer_is_slow(w->renderer))
        return true;
    drop_window(w);
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    w->software = true;
    return make_window(w);
}

/* SDL opens a "window" without any display, too: those drivers count only where they were asked for. */
static enum emu_err find_display(struct error *err)
{
    const char *x11 = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY"), *term = getenv("TERM");
    bool console = term && strcmp(term, "linux") == 0, chosen = getenv("SDL_VIDEODRIVER") != NULL;
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    if (!(x11 && *x11) && !(wayland && *wayland) && !console && !chosen)
        return error_set(err, EMU_UNSUPPORTED, "there is no display to open a window on (DISPLAY is not set)");
#endif
    if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0)
        return error_set(err, EMU_UNSUPPORTED, "there is no display to open a window on (%s)", SDL_GetError());
    const char *driver = SDL_GetCurrentVideoDriver();
    bool none = strcmp(driver, "offscreen") == 0 || strcmp(driver, "dummy") == 0 || strcmp(driver, "evdev") == 0;
    bool no_console = strcmp(driver, "KMSDRM") == 0 && !console;
    if (chosen || (!none && !no_console))
        return EMU_OK;
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    return error_set(err, EMU_UNSUPPORTED, "there is no display to open a window on (DISPLAY=%s does not answer)", x11 ? x11 : "");
}

enum emu_err sdl_open(const char *title, bool full_screen, struct display **out, struct error *err)
{
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear");
    enum emu_err e = find_display(err);
    if (e)
        return e;
    struct sdl_window *w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, EMU_NOMEM, "the host is out of memory");
    w->base = (struct display){.poll = poll_window, .refresh = refresh_window, .close = close_window};
    snprintf(w->title, sizeof(w->title), "%s", title);
    w->full_screen = full_screen;
    w->stale = true;
    if (!open_window(w)) {
        error_set(err, EMU_UNSUPPORTED, "SDL cannot open a window (%s)", SDL_GetError());
        close_window(&w->base);
        return EMU_UNSUPPORTED;
    }
    *out = &w->base;
    return EMU_OK;
}
