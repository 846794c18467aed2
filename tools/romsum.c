/*
 * romsum IN [OUT]: finish a PC option ROM assembled from roms/, in place if there is no OUT.
 *
 * Pads the image with zeros to a multiple of 512 bytes, writes the length in 512-byte blocks to
 * byte 2, makes the PnP expansion header (if byte 1Ah points to one) and then the whole image sum
 * to zero modulo 256, as the Plug and Play BIOS Specification 1.0A (section 3) asks for. The last
 * byte of the image settles its sum, so one byte of padding is always added.
 *
 * A build tool: runs on the build host and is linked with nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 512,
    MAX_BLOCKS = 127,                   /* one byte, and no ROM may reach 64 KiB */
    MAX_IMAGE = MAX_BLOCKS * BLOCK,
    ROM_LENGTH = 0x02,
    ROM_PNP_POINTER = 0x1A,
    HEADER_SIZE = 0x1C,
    PNP_LENGTH = 0x05,                  /* of the header, in units of 16 bytes */
    PNP_CHECKSUM = 0x09
};

static int complain(const char *name, const char *what)
{
    fprintf(stderr, "romsum: %s: %s\n", name, what);
    return 1;
}

static uint8_t sum(const uint8_t *bytes, size_t count)
{
    unsigned total = 0;

    for (size_t i = 0; i < count; i++)
        total += bytes[i];
    return (uint8_t)total;
}

/* Bytes read, or 0 for a file that is missing, too short or too long to be a ROM. */
static size_t read_image(const char *name, uint8_t *image)
{
    FILE *file = fopen(name, "rb");
    size_t length;

    if (!file)
        return 0;
    length = fread(image, 1, MAX_IMAGE, file);
    if (ferror(file))
        length = 0;
    fclose(file);
    return length < HEADER_SIZE || length >= MAX_IMAGE ? 0 : length;
}

static int write_image(const char *name, const uint8_t *image, size_t length)
{
    FILE *file = fopen(name, "wb");
    int failed;

    if (!file)
        return complain(name, "cannot be created");
    failed = fwrite(image, 1, length, file) != length;
    failed |= fclose(file) != 0;
    if (failed) {
        remove(name);
        return complain(name, "cannot be written");
    }
    return 0;
}

/* Nonzero if the header that byte 1Ah points to is not a PnP header inside the image. */
static int finish_pnp_header(uint8_t *image, size_t length)
{
    size_t at = image[ROM_PNP_POINTER] | (size_t)image[ROM_PNP_POINTER + 1] << 8;
    uint8_t *header = image + at;
    size_t size;

    if (at == 0)
        return 0;
    if (at + 16 > length || memcmp(header, "$PnP", 4) != 0)
        return 1;
    size = (size_t)header[PNP_LENGTH] * 16;
    if (size < 16 || at + size > length)
        return 1;
    header[PNP_CHECKSUM] = 0;
    header[PNP_CHECKSUM] = (uint8_t)(0u - sum(header, size));
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t image[MAX_IMAGE] = { 0 };
    size_t length;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: romsum IN [OUT]\n");
        return 2;
    }
    length = read_image(argv[1], image);
    if (length == 0)
        return complain(argv[1], "cannot be read, or its size is not that of an option ROM");
    if (image[0] != 0x55 || image[1] != 0xAA)
        return complain(argv[1], "does not begin with 55 AA");
    if (finish_pnp_header(image, length))
        return complain(argv[1], "its word at 1Ah does not point to a PnP header");
    length = (length / BLOCK + 1) * BLOCK;
    image[ROM_LENGTH] = (uint8_t)(length / BLOCK);
    image[length - 1] = (uint8_t)(0u - sum(image, length));
    return write_image(argv[argc - 1], image, length);
}
