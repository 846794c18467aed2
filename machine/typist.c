/* Key strokes in virtual time. See typist.h. HID usages: USB HID Usage Tables 1.12, page 7. */
#include "machine/typist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/nearest.h"

enum { HID_A = 4, HID_1 = 30, HID_0 = 39, HID_ENTER = 40, HID_SHIFT = 225 };
enum { STROKE_US = 15000, GAP_US = 25000 };

static bool add(struct typist *t, uint8_t hid, bool down, uint32_t pause_us)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct typist_stroke *bigger = realloc(t->stroke, cap * sizeof(*bigger));
        if (!bigger)
            return false;
        t->stroke = bigger;
        t->cap = cap;
    }
    t->stroke[t->count++] = (struct typist_stroke){hid, down, pause_us};
    return true;
}

/* Starts a new phrase: forgets what is typed already, but not the pause after its last stroke (unless
 * time was set back meanwhile). */
static void begin(struct typist *t, vtime now)
{
    if (t->next == t->count) {
        t->next = t->count = 0;
        if (t->due < now || t->due - now > (vtime)GAP_US * 1000)
            t->due = now;
    }
}

/* The key of a character; *shift tells whether Shift is held. 0: no such key. */
static uint8_t key_of(char ch, bool *shift)
{
    static const char plain[] = "\n\e\b\t -=[]\\#;'`,./";
    static const char shifted[] = "\1\1\1\1\1_+{}|~:\"~<>?";
    static const char digits[] = ")!@#$%^&*(";
    *shift = false;
    if (ch >= 'a' && ch <= 'z')
        return (uint8_t)(HID_A + ch - 'a');
    if (ch >= '1' && ch <= '9')
        return (uint8_t)(HID_1 + ch - '1');
    if (ch == '0')
        return HID_0;
    const char *at = ch ? strchr(plain, ch) : NULL;
    if (at && ch != '#')
        return (uint8_t)(HID_ENTER + (at - plain));
    *shift = true;
    if (ch >= 'A' && ch <= 'Z')
        return (uint8_t)(HID_A + ch - 'A');
    at = ch ? strchr(digits, ch) : NULL;
    if (at)
        return (uint8_t)(at == digits ? HID_0 : HID_1 + (at - digits) - 1);
    at = ch > 1 ? strrchr(shifted, ch) : NULL;
    return at ? (uint8_t)(HID_ENTER + (at - shifted)) : 0;
}

static enum emu_err no_memory(struct error *err)
{
    return error_set(err, EMU_NOMEM, "the host is out of memory; nothing was typed");
}

static bool add_char(struct typist *t, uint8_t hid, bool shift)
{
    return (!shift || add(t, HID_SHIFT, true, STROKE_US)) && add(t, hid, true, STROKE_US) &&
           add(t, hid, false, shift ? STROKE_US : GAP_US) &&
           (!shift || add(t, HID_SHIFT, false, GAP_US));
}

/* One character of the text, escapes resolved; advances *text. */
static char next_char(const char **text)
{
    char ch = *(*text)++;
    if (ch != '\\' || !**text)
        return ch;
    switch (*(*text)++) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'b': return '\b';
    case 'e': return '\e';
    default: return (*text)[-1];
    }
}

enum emu_err typist_text(struct typist *t, const char *text, vtime now, struct error *err)
{
    bool shift;
    for (const char *p = text; *p;) {
        char ch = next_char(&p);
        if (!key_of(ch, &shift))
            return error_set(err, EMU_ARG, "no key of a US keyboard types the character %02x; nothing was typed",
                             (unsigned char)ch);
    }
    begin(t, now);
    while (*text) {
        uint8_t hid = key_of(next_char(&text), &shift);
        if (!add_char(t, hid, shift))
            return no_memory(err);
    }
    return EMU_OK;
}

/* QEMU's key names (qapi QKeyCode) that are not a single letter or digit. */
static const struct {
    const char *name;
    uint8_t hid;
} key_names[] = {
    {"ret", 40}, {"enter", 40}, {"esc", 41}, {"backspace", 42}, {"tab", 43}, {"spc", 44}, {"space", 44},
    {"minus", 45}, {"equal", 46}, {"bracket_left", 47}, {"bracket_right", 48}, {"backslash", 49},
    {"semicolon", 51}, {"apostrophe", 52}, {"grave_accent", 53}, {"comma", 54}, {"dot", 55},
    {"slash", 56}, {"caps_lock", 57}, {"f1", 58}, {"f2", 59}, {"f3", 60}, {"f4", 61}, {"f5", 62},
    {"f6", 63}, {"f7", 64}, {"f8", 65}, {"f9", 66}, {"f10", 67}, {"f11", 68}, {"f12", 69},
    {"print", 70}, {"sysrq", 70}, {"scroll_lock", 71}, {"pause", 72}, {"insert", 73}, {"home", 74},
    {"pgup", 75}, {"delete", 76}, {"end", 77}, {"pgdn", 78}, {"right", 79}, {"left", 80},
    {"down", 81}, {"up", 82}, {"num_lock", 83}, {"kp_divide", 84}, {"kp_multiply", 85}, {"asterisk", 85},
    {"kp_subtract", 86}, {"kp_add", 87}, {"kp_enter", 88}, {"kp_1", 89}, {"kp_2", 90}, {"kp_3", 91},
    {"kp_4", 92}, {"kp_5", 93}, {"kp_6", 94}, {"kp_7", 95}, {"kp_8", 96}, {"kp_9", 97}, {"kp_0", 98},
    {"kp_decimal", 99}, {"less", 100}, {"menu", 101}, {"ctrl", 224}, {"shift", 225}, {"alt", 226},
    {"meta_l", 227}, {"ctrl_r", 228}, {"shift_r", 229}, {"alt_r", 230}, {"meta_r", 231},
};

static uint8_t named_key(const char *name, struct error *err)
{
    const char *words[ARRAY_LEN(key_names) + 1] = {0};
    bool shift;
    uint8_t hid = strlen(name) == 1 ? key_of(name[0], &shift) : 0;
    if (hid && !shift)
        return hid;
    for (size_t i = 0; i < ARRAY_LEN(key_names); i++) {
        if (strcmp(key_names[i].name, name) == 0)
            return key_names[i].hid;
        words[i] = key_names[i].name;
    }
    error_set(err, EMU_ARG, "there is no key \"%s\"; did you mean \"%s\"?", name, nearest_word(name, words));
    return 0;
}

enum { MAX_CHORD = 8 };

enum emu_err typist_keys(struct typist *t, const char *keys, unsigned hold_ms, vtime now, struct error *err)
{
    uint8_t hid[MAX_CHORD];
    unsigned n = 0;
    while (*keys) {
        char name[32];
        size_t len = strcspn(keys, "-");
        snprintf(name, sizeof(name), "%.*s", (int)len, keys);
        if (n == MAX_CHORD)
            return error_set(err, EMU_ARG, "more than %d keys at once", MAX_CHORD);
        if (!(hid[n++] = named_key(name, err)))
            return EMU_ARG;
        keys += len + (keys[len] == '-');
    }
    if (n == 0)
        return error_set(err, EMU_ARG, "no key is named; name some as in ctrl-alt-delete");
    begin(t, now);
    bool ok = true;
    for (unsigned i = 0; i < n; i++)
        ok = ok && add(t, hid[i], true, i + 1 < n ? STROKE_US : hold_ms * 1000);
    for (unsigned i = n; i-- > 0;)
        ok = ok && add(t, hid[i], false, i ? STROKE_US : GAP_US);
    return ok ? EMU_OK : no_memory(err);
}

vtime typist_due(const struct typist *t)
{
    return t->next < t->count ? t->due : VTIME_NEVER;
}

struct typist_stroke typist_take(struct typist *t, vtime now)
{
    struct typist_stroke s = t->stroke[t->next++];
    t->due = now + (vtime)s.pause_us * 1000;
    return s;
}

void typist_free(struct typist *t)
{
    free(t->stroke);
    *t = (struct typist){0};
}
