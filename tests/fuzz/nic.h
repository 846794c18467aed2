/*
 * What the fuzz targets of the network cards share: a card without a machine, driven by the bytes of a
 * libFuzzer input. Each byte chooses what happens next: an access to a port, a frame from the wire, bytes in
 * memory, time that passes, the cable, a reset. What must hold after every input: no sanitizer complains, no
 * frame of an impossible length went out, time goes on, and the state that was reached is one that the
 * loader takes back unchanged.
 */
#ifndef TESTS_FUZZ_NIC_H
#define TESTS_FUZZ_NIC_H

#include "machine/bus.h"
#include "machine/device.h"
#include "machine/log.h"
#include "mmu/phys.h"

enum { NIC_PORTS = 32, NIC_RAM = 1 << 16, NIC_BYTE_NS = 8 };

struct nic_under_test {
    struct clock clk;
    struct log log;
    struct phys *phys; /* NIC_RAM bytes at 0 */
    struct device *dev;
    const struct io_ops *io;
    void (*receive)(void *dev, const uint8_t *frame, size_t len);
    void (*ask)(void *dev, size_t len); /* whether it listens and has room: must change nothing */
    void (*set_link)(void *dev, bool up);
    bool line;
    size_t max_frame;
    uint64_t sent;
};

/* Clock, log and memory; the target then makes its card and fills in the rest. */
void nic_prepare(struct nic_under_test *n);
void nic_run(struct nic_under_test *n, const uint8_t *data, size_t len);
struct irq_line nic_line(struct nic_under_test *n);
void nic_sent(void *arg, const uint8_t *frame, size_t len); /* the wiring's send */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
