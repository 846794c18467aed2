/*
 * QEMU firmware configuration device (QEMU docs/specs/fw_cfg). Traditional interface: a 16-bit
 * write selects an item and rewinds it; each byte read from the data port is the next one, zeros
 * after the end and for keys that do not exist. DMA interface: the guest writes the address of a
 * struct FWCfgDmaAccess, and what it asks for is done within that write. Both share selection and
 * offset; item 1 says 3 for both. File keys start at 20 in the order of the names, as QEMU sorts
 * them.
 * NOT MODELLED: writing to items, all of which are read-only (a DMA write ends with the error bit);
 * DMA to anything but RAM (it ends there with the error bit).
 * Wired by the board: fw_cfg_io at the two ports, fw_cfg_dma_io at the eight of the DMA address,
 * guest memory; contents by the board and the command line.
 */
#include "devices/fw_cfg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REG_SELECTOR, REG_DATA };
enum { DIR_ENTRY = 8 + FW_CFG_NAME, WRITE_CHANNEL = 0x4000 };
enum { REG_DMA_HIGH = 0, REG_DMA_LOW = 4 }; /* halves of the address register */
enum { FEATURE_TRADITIONAL = 1, FEATURE_DMA = 2 }; /* of item 1 */

/* struct FWCfgDmaAccess, big-endian: {u32 control, u32 length, u64 address}. */
enum { ACCESS_CONTROL = 0, ACCESS_LENGTH = 4, ACCESS_ADDRESS = 8, ACCESS_BYTES = 16 };
enum {
    CONTROL_ERROR = 1 << 0,
    CONTROL_READ = 1 << 1,
    CONTROL_SKIP = 1 << 2,
    CONTROL_SELECT = 1 << 3, /* the key in bits 16-31 */
    CONTROL_WRITE = 1 << 4,
};

STATE_DESC(fw_cfg_desc, struct fw_cfg_state, 2,
           FIELD(struct fw_cfg_state, identity, "hash of all contents"),
           FIELD(struct fw_cfg_state, offset, "next byte of the selected item"),
           FIELD(struct fw_cfg_state, dma_high, "DMA address register, bits 32-63"),
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

static void find_selected(struct fw_cfg *fw)
{
    fw->selected = find(fw, fw->st.key & (uint16_t)~WRITE_CHANNEL);
}

static void select_item(struct fw_cfg *fw, uint16_t key)
{
    fw->st.key = key;
    fw->st.offset = 0;
    find_selected(fw);
    if (trace_on(fw->w.log, TRACE_FWCFG))
        trace_line(fw->w.log, TRACE_FWCFG, "select %04x %s", fw->st.key,
                   fw->selected ? fw->selected->name : "(absent)");
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
    find_selected(fw);
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

/* Bytes of the selected item that are not read yet. */
static uint32_t bytes_left(const struct fw_cfg *fw)
{
    const struct fw_cfg_item *it = fw->selected;
    return it && fw->st.offset < it->len ? it->len - fw->st.offset : 0;
}

static uint8_t next_byte(struct fw_cfg *fw)
{
    return bytes_left(fw) ? fw->selected->data[fw->st.offset++] : 0;
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
    select_item(fw, (uint16_t)value);
}

const struct io_ops fw_cfg_io = {fw_cfg_read, fw_cfg_write, ACCESS_8 | ACCESS_16};

/* --- DMA --- */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Bytes from `addr` to the end of its page, or 0 where there is no memory. */
static uint32_t room_at(const struct fw_cfg *fw, paddr addr, bool write)
{
    if (!phys_lookup(fw->w.phys, addr, write).host)
        return 0;
    return PHYS_PAGE_SIZE - (uint32_t)(addr & (PHYS_PAGE_SIZE - 1));
}

static bool in_memory(const struct fw_cfg *fw, paddr addr, uint32_t len, bool write)
{
    uint32_t room = room_at(fw, addr, write);
    return room && (room >= len || room_at(fw, addr + len - 1, write));
}

/* Page by page, so that a length of 4 GiB ends where RAM does. */
static bool dma_read(struct fw_cfg *fw, paddr to, uint32_t len)
{
    static const uint8_t zeros[PHYS_PAGE_SIZE];
    while (len) {
        uint32_t part = min_u32(len, room_at(fw, to, true)), left = bytes_left(fw);
        if (!part)
            return false;
        if (left) {
            part = min_u32(part, left);
            phys_write_bytes(fw->w.phys, to, fw->selected->data + fw->st.offset, part);
            fw->st.offset += part;
        } else {
            phys_write_bytes(fw->w.phys, to, zeros, part);
        }
        to += part;
        len -= part;
    }
    return true;
}

/* What the control word asks for; false: the error bit is to be set. */
static bool dma_operation(struct fw_cfg *fw, uint32_t control, uint32_t len, paddr addr)
{
    if (control & CONTROL_SELECT)
        select_item(fw, (uint16_t)(control >> 16));
    if (control & CONTROL_READ)
        return dma_read(fw, addr, len);
    if (control & CONTROL_WRITE)
        return len == 0; /* every item is read-only */
    if (control & CONTROL_SKIP)
        fw->st.offset += min_u32(len, bytes_left(fw));
    return true;
}

static uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* The spec names no error for a structure that is not in RAM: nothing is done then, and what of its
 * control word can be written says so. */
static void dma_start(struct fw_cfg *fw, paddr at)
{
    uint8_t bytes[ACCESS_BYTES];
    bool ok = in_memory(fw, at, ACCESS_BYTES, false);
    if (ok) {
        phys_read_bytes(fw->w.phys, at, bytes, ACCESS_BYTES);
        uint32_t control = get_be32(bytes + ACCESS_CONTROL), len = get_be32(bytes + ACCESS_LENGTH);
        paddr addr = (paddr)get_be32(bytes + ACCESS_ADDRESS) << 32;
        addr |= get_be32(bytes + ACCESS_ADDRESS + 4);
        ok = dma_operation(fw, control, len, addr);
        if (fw->w.moved && control & CONTROL_READ)
            fw->w.moved(fw->w.arg, len);
        if (trace_on(fw->w.log, TRACE_FWCFG))
            trace_line(fw->w.log, TRACE_FWCFG, "DMA control %08" PRIx32 " length %" PRIx32
                       " address %" PRIx64 "%s", control, len, addr, ok ? "" : ": error");
    }
    if (!ok)
        log_guest(fw->w.log, fw->dev.id, "DMA request at %" PRIx64 " refused", at);
    put_be(bytes, ok ? 0 : CONTROL_ERROR, 4);
    if (in_memory(fw, at + ACCESS_CONTROL, 4, true))
        phys_write_bytes(fw->w.phys, at + ACCESS_CONTROL, bytes, 4);
}

/* Reads show where the interface is: "QEMU CFG" in the order of the ports. */
static uint32_t fw_cfg_dma_read(void *dev, uint32_t offset, enum access_size size)
{
    static const char signature[] = "QEMU CFG";
    uint32_t value = 0;
    (void)dev;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)(uint8_t)signature[(offset + i) & 7] << (8 * i);
    return value;
}

/* The register is big-endian, the port bus little-endian. It holds 0 after each operation. */
static void fw_cfg_dma_write(void *dev, uint32_t offset, uint32_t value, enum access_size size)
{
    struct fw_cfg *fw = dev;
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    if (size == ACCESS_32 && offset == REG_DMA_HIGH) {
        fw->st.dma_high = get_be32(bytes);
    } else if (size == ACCESS_32 && offset == REG_DMA_LOW) {
        paddr at = (paddr)fw->st.dma_high << 32 | get_be32(bytes);
        fw->st.dma_high = 0;
        dma_start(fw, at);
    } else {
        log_guest(fw->w.log, fw->dev.id,
                  "ignored write of %" PRIx32 " at offset %" PRIu32 " of the DMA address", value,
                  offset);
    }
}

const struct io_ops fw_cfg_dma_io = {fw_cfg_dma_read, fw_cfg_dma_write,
                                     ACCESS_8 | ACCESS_16 | ACCESS_32};

/* --- device --- */

static void fw_cfg_reset(void *dev, enum reset_kind kind)
{
    struct fw_cfg *fw = dev;
    (void)kind;
    fw->st = (struct fw_cfg_state){.identity = fw->contents};
    find_selected(fw);
}

static enum emu_err fw_cfg_post_load(void *dev, struct error *err)
{
    struct fw_cfg *fw = dev;
    if (fw->st.identity != fw->contents)
        return error_set(err, EMU_FORMAT,
                         "%s: the saved machine was started with other firmware, kernel or "
                         "-fw_cfg contents; start with the same ones", fw->dev.id);
    find_selected(fw);
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
        fw_cfg_add_u32(fw, FW_CFG_ID, FEATURE_TRADITIONAL | FEATURE_DMA, &err) != EMU_OK)
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
