/*
 * QEMU firmware configuration device, traditional interface (QEMU docs/specs/fw_cfg): a 16-bit
 * write selects an item and rewinds it; each byte read from the data port is the next one, zeros
 * after the end and for keys that do not exist. Item 1 says 1: traditional interface, no DMA.
 * File keys start at 20 in the order of the names, as QEMU sorts them.
 * NOT MODELLED: the DMA interface; writing to items (QEMU dropped it in 2.4).
 * Wired by the board: fw_cfg_io at the two ports; contents by the board and the command line.
 */
#include "devices/fw_cfg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REG_SELECTOR, REG_DATA };
enum { DIR_ENTRY = 8 + FW_CFG_NAME, WRITE_CHANNEL = 0x4000 };

STATE_DESC(fw_cfg_desc, struct fw_cfg_state, 1,
           FIELD(struct fw_cfg_state, identity, "hash of all contents"),
           FIELD(struct fw_cfg_state, offset, "next byte of the selected item"),
           FIELD(struct fw_cfg_state, key, "selected item"),
           FIELD_MAX(struct fw_cfg_state, reserved, 0, "zero"));

static const struct fw_cfg_item *find(const struct fw_cfg *fw, uint16_t key)
{
    for (unsigned i = 0; i < fw->items; i++) {
        if (fw->item[i].key == key)
            return &fw->item[i];
    }
    return NULL;
}

static void select_item(struct fw_cfg *fw)
{
    fw->selected = find(fw, fw->st.key & (uint16_t)~WRITE_CHANNEL);
}

/* --- contents --- */

/* Numbered items first, by key; then files by name. */
static int compare(const struct fw_cfg_item *a, const struct fw_cfg_item *b)
{
    if (!a->name[0] != !b->name[0])
        return a->name[0] ? 1 : -1;
    if (!a->name[0])
        return a->key < b->key ? -1 : a->key > b->key;
    return strcmp(a->name, b->name);
}

static void put_be(uint8_t *to, uint32_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
}

/* Gives every file its key and returns how many there are. */
static unsigned number_files(struct fw_cfg *fw)
{
    unsigned files = 0;
    for (unsigned i = 0; i < fw->items; i++) {
        if (fw->item[i].name[0])
            fw->item[i].key = (uint16_t)(FW_CFG_FILE_FIRST + files++);
    }
    return files;
}

/* The contents of item 19: a count, then {size, key, 0, name} each, big-endian. */
static void write_directory(const struct fw_cfg *fw, uint8_t *dir, unsigned files)
{
    uint8_t *at = dir + 4;
    put_be(dir, files, 4);
    for (unsigned i = 0; i < fw->items; i++) {
        const struct fw_cfg_item *it = &fw->item[i];
        if (!it->name[0])
            continue;
        put_be(at, it->len, 4);
        put_be(at + 4, it->key, 2);
        put_be(at + 6, 0, 2);
        memcpy(at + 8, it->name, FW_CFG_NAME);
        at += DIR_ENTRY;
    }
}

/* Over keys and the items' own hashes, so that large items are read once, when they are added. */
static uint64_t hash_contents(const struct fw_cfg *fw)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < fw->items; i++) {
        const struct fw_cfg_item *it = &fw->item[i];
        uint8_t bytes[10];
        put_be(bytes, it->key, 2);
        put_be(bytes + 2, (uint32_t)(it->hash >> 32), 4);
        put_be(bytes + 6, (uint32_t)it->hash, 4);
        hash = hash_bytes(hash, bytes, sizeof(bytes));
    }
    return hash;
}

static void contents_changed(struct fw_cfg *fw)
{
    fw->contents = hash_contents(fw);
    fw->st.identity = fw->contents;
    select_item(fw);
}

/* Puts `new` (whose data it takes over) in its place in the order, replacing an equal one. */
static enum emu_err insert(struct fw_cfg *fw, const struct fw_cfg_item *new, struct error *err)
{
    unsigned at = 0;
    while (at < fw->items && compare(&fw->item[at], new) < 0)
        at++;
    if (at < fw->items && compare(&fw->item[at], new) == 0) {
        free(fw->item[at].data);
        fw->item[at] = *new;
        return EMU_OK;
    }
    if (fw->items == FW_CFG_ITEMS)
        return error_set(err, EMU_ARG, "fw_cfg: no room for more than %d items", FW_CFG_ITEMS);
    memmove(&fw->item[at + 1], &fw->item[at], (fw->items - at) * sizeof(fw->item[0]));
    fw->item[at] = *new;
    fw->items++;
    return EMU_OK;
}

static enum emu_err add(struct fw_cfg *fw, struct fw_cfg_item *new, const void *data, size_t len,
                        struct error *err)
{
    if (len > UINT32_MAX)
        return error_set(err, EMU_ARG, "fw_cfg: an item cannot be larger than 4 GiB");
    new->data = malloc(len ? len : 1);
    if (!new->data)
        return error_set(err, EMU_NOMEM, "fw_cfg: no memory for %zu bytes", len);
    if (len)
        memcpy(new->data, data, len);
    new->len = (uint32_t)len;
    new->hash = hash_bytes(0, new->data, len);
    enum emu_err e = insert(fw, new, err);
    if (e != EMU_OK)
        free(new->data);
    return e;
}

enum emu_err fw_cfg_add_bytes(struct fw_cfg *fw, uint16_t key, const void *data, size_t len,
                              struct error *err)
{
    struct fw_cfg_item new = {.key = key};
    bool numbered = key < FW_CFG_FILE_FIRST || key >= FW_CFG_ARCH_LOCAL;
    if (!numbered || key & WRITE_CHANNEL)
        return error_set(err, EMU_ARG, "fw_cfg: %04x is not the key of a numbered item", key);
    enum emu_err e = add(fw, &new, data, len, err);
    if (e == EMU_OK)
        contents_changed(fw);
    return e;
}

static enum emu_err add_number(struct fw_cfg *fw, uint16_t key, uint64_t v, unsigned len,
                               struct error *err)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < len; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    return fw_cfg_add_bytes(fw, key, bytes, len, err);
}

enum emu_err fw_cfg_add_u16(struct fw_cfg *fw, uint16_t key, uint16_t v, struct error *err)
{
    return add_number(fw, key, v, 2, err);
}

enum emu_err fw_cfg_add_u32(struct fw_cfg *fw, uint16_t key, uint32_t v, struct error *err)
{
    return add_number(fw, key, v, 4, err);
}

enum emu_err fw_cfg_add_u64(struct fw_cfg *fw, uint16_t key, uint64_t v, struct error *err)
{
    return add_number(fw, key, v, 8, err);
}

enum emu_err fw_cfg_add_file(struct fw_cfg *fw, const char *name, const void *data, size_t len,
                             struct error *err)
{
    struct fw_cfg_item new = {.key = 0};
    size_t name_len = strlen(name);
    if (name_len == 0 || name_len >= FW_CFG_NAME)
        return error_set(err, EMU_ARG, "fw_cfg: the file name \"%s\" must have 1 to %d characters",
                         name, FW_CFG_NAME - 1);
    memcpy(new.name, name, name_len);
    enum emu_err e = add(fw, &new, data, len, err);
    if (e != EMU_OK)
        return e;
    static const uint8_t dir_space[4 + FW_CFG_ITEMS * DIR_ENTRY];
    unsigned files = number_files(fw);
    e = fw_cfg_add_bytes(fw, FW_CFG_FILE_DIR, dir_space, 4 + files * DIR_ENTRY, err);
    if (e != EMU_OK)
        return e;
    write_directory(fw, find(fw, FW_CFG_FILE_DIR)->data, files);
    contents_changed(fw);
    return EMU_OK;
}

/* --- ports --- */

static uint8_t next_byte(struct fw_cfg *fw)
{
    const struct fw_cfg_item *it = fw->selected;
    if (!it || fw->st.offset >= it->len)
        return 0;
    return it->data[fw->st.offset++];
}

static uint32_t fw_cfg_read(void *dev, uint32_t offset, enum access_size size)
{
    if (offset != REG_DATA || size != ACCESS_8)
        return 0xffff; /* the selector is write-only */
    return next_byte(dev);
}

static void fw_cfg_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct fw_cfg *fw = dev;
    if (offset != REG_SELECTOR || size != ACCESS_16) {
        log_guest(fw->w.log, fw->dev.id, "ignored write of %" PRIx32 " at offset %" PRIu32, value,
                  offset);
        return;
    }
    fw->st.key = (uint16_t)value;
    fw->st.offset = 0;
    select_item(fw);
    if (trace_on(fw->w.log, TRACE_FWCFG))
        trace_line(fw->w.log, TRACE_FWCFG, "select %04x %s", fw->st.key,
                   fw->selected ? fw->selected->name : "(absent)");
}

const struct io_ops fw_cfg_io = {fw_cfg_read, fw_cfg_write, ACCESS_8 | ACCESS_16};

/* --- device --- */

static void fw_cfg_reset(void *dev, enum reset_kind kind)
{
    struct fw_cfg *fw = dev;
    (void)kind;
    fw->st = (struct fw_cfg_state){.identity = fw->contents};
    select_item(fw);
}

static enum emu_err fw_cfg_post_load(void *dev, struct error *err)
{
    struct fw_cfg *fw = dev;
    if (fw->st.identity != fw->contents)
        return error_set(err, EMU_FORMAT,
                         "%s: the saved machine was started with other firmware, kernel or "
                         "-fw_cfg contents; start with the same ones", fw->dev.id);
    select_item(fw);
    return EMU_OK;
}

static void fw_cfg_close(void *dev)
{
    struct fw_cfg *fw = dev;
    for (unsigned i = 0; i < fw->items; i++)
        free(fw->item[i].data);
    fw->items = 0;
    fw->selected = NULL;
}

const struct device_class fw_cfg_class = {
    .name = "fw_cfg",
    .state = &fw_cfg_desc,
    .state_offset = offsetof(struct fw_cfg, st),
    .reset = fw_cfg_reset,
    .post_load = fw_cfg_post_load,
    .close = fw_cfg_close,
};

/* The two items that software finds the device by. They live in the item table like the rest; if
 * memory is out so early, the device stays empty and software does not find it. */
static void add_signature(struct fw_cfg *fw)
{
    struct error err;
    if (fw_cfg_add_bytes(fw, FW_CFG_SIGNATURE, "QEMU", 4, &err) == EMU_OK &&
        fw_cfg_add_u32(fw, FW_CFG_ID, 1, &err) != EMU_OK)
        fw_cfg_close(fw);
}

void fw_cfg_init(struct fw_cfg *fw, const char *id, struct fw_cfg_wiring w)
{
    memset(fw, 0, sizeof(*fw));
    fw->dev.cls = &fw_cfg_class;
    fw->dev.id = id;
    fw->w = w;
    add_signature(fw);
    fw_cfg_reset(fw, RESET_POWER_ON);
}
