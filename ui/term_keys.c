/* See term_keys.h. ECMA-48 5.4 (control sequences); xterm control sequences, "PC-Style Function Keys". */
#include "ui/term_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ESC = 0x1b, DEL = 0x7f };

static const char *const final_names[128] = {
    ['A'] = "up", ['B'] = "down", ['C'] = "right", ['D'] = "left", ['E'] = "kp_5", ['F'] = "end",
    ['H'] = "home", ['P'] = "f1", ['Q'] = "f2", ['R'] = "f3", ['S'] = "f4", ['Z'] = "shift-tab",
    ['M'] = "kp_enter",
};

static const char *const tilde_names[] = {
    [1] = "home", [2] = "insert", [3] = "delete", [4] = "end", [5] = "pgup", [6] = "pgdn",
    [7] = "home", [8] = "end", [11] = "f1", [12] = "f2", [13] = "f3", [14] = "f4", [15] = "f5",
    [17] = "f6", [18] = "f7", [19] = "f8", [20] = "f9", [21] = "f10", [23] = "f11", [24] = "f12",
};

/* xterm's modifier parameter is 1 + shift 1, alt 2, ctrl 4. */
static void name_key(char keys[TERM_KEY_NAME], unsigned modifiers, const char *name)
{
    unsigned bits = modifiers ? modifiers - 1 : 0;
    snprintf(keys, TERM_KEY_NAME, "%s%s%s%s", bits & 4 ? "ctrl-" : "", bits & 2 ? "alt-" : "",
             bits & 1 ? "shift-" : "", name);
}

/* ESC [ parameters final. */
static size_t control_sequence(const char *data, size_t len, char keys[TERM_KEY_NAME])
{
    unsigned value[2] = {0, 0}, n = 0;
    size_t i = 2;
    if (i < len && data[i] == '[') { /* the Linux console: ESC [ [ A to E are F1 to F5 */
        if (len < 4)
            return 0;
        if (data[3] >= 'A' && data[3] <= 'E')
            snprintf(keys, TERM_KEY_NAME, "f%d", data[3] - 'A' + 1);
        return 4;
    }
    for (; i < len && data[i] >= 0x20 && data[i] < 0x40; i++) {
        if (data[i] == ';')
            n++;
        else if (data[i] >= '0' && data[i] <= '9' && n < 2 && value[n] < 1000)
            value[n] = value[n] * 10 + (unsigned)(data[i] - '0');
    }
    if (i == len)
        return 0;
    const char *name = NULL;
    if (data[i] == '~' && value[0] < sizeof(tilde_names) / sizeof(tilde_names[0]))
        name = tilde_names[value[0]];
    else if (data[i] > 0 && data[i] != '~')
        name = final_names[(unsigned char)data[i]];
    if (name)
        name_key(keys, value[1], name);
    return i + 1;
}

static bool control_key(char ch, const char *prefix, char keys[TERM_KEY_NAME])
{
    const char *name = ch == '\r' || ch == '\n' ? "ret" : ch == DEL || ch == '\b' ? "backspace" : ch == '\t' ? "tab" : NULL;
    if (name)
        snprintf(keys, TERM_KEY_NAME, "%s%s", prefix, name);
    else if (ch >= 1 && ch <= 26)
        snprintf(keys, TERM_KEY_NAME, "%sctrl-%c", prefix, 'a' + ch - 1);
    else if (ch == 0)
        snprintf(keys, TERM_KEY_NAME, "%sctrl-spc", prefix);
    else if (ch >= 0x1c && ch < 0x20)
        snprintf(keys, TERM_KEY_NAME, "%sctrl-%s", prefix,
                 (const char *const[]){"backslash", "bracket_right", "6", "minus"}[ch - 0x1c]);
    return *keys != 0;
}

/* Alt with a key comes as ESC and the key. */
static size_t alt_key(char ch, char keys[TERM_KEY_NAME])
{
    static const struct {
        char ch;
        const char *name;
    } marks[] = {{' ', "spc"}, {'-', "minus"}, {'=', "equal"}, {';', "semicolon"}, {'\'', "apostrophe"},
                 {',', "comma"}, {'.', "dot"}, {'/', "slash"}, {'\\', "backslash"}, {'`', "grave_accent"}};
    if (control_key(ch, "alt-", keys))
        return 2;
    if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))
        snprintf(keys, TERM_KEY_NAME, "alt-%c", ch);
    else if (ch >= 'A' && ch <= 'Z')
        snprintf(keys, TERM_KEY_NAME, "alt-shift-%c", ch - 'A' + 'a');
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (marks[i].ch == ch)
            snprintf(keys, TERM_KEY_NAME, "alt-%s", marks[i].name);
    }
    return 2;
}

static size_t escape(const char *data, size_t len, bool final, char keys[TERM_KEY_NAME])
{
    size_t used = 0;
    if (len > 1 && data[1] == '[')
        used = control_sequence(data, len, keys);
    else if (len > 2 && data[1] == 'O')
        used = control_sequence(data, len, keys); /* ESC O A: the same letters */
    else if (len > 1 && data[1] != 'O' && data[1] != ESC)
        return alt_key(data[1], keys);
    if (used || (!final && len < 16 && (len < 2 || data[1] != ESC)))
        return used;
    snprintf(keys, TERM_KEY_NAME, "esc");
    return 1;
}

size_t term_key(const char *data, size_t len, bool final, char keys[TERM_KEY_NAME], char *ch)
{
    keys[0] = *ch = 0;
    if (len == 0)
        return 0;
    if (data[0] == ESC)
        return escape(data, len, final, keys);
    if (!control_key(data[0], "", keys) && data[0] >= ' ' && data[0] < DEL)
        *ch = data[0];
    return 1;
}
