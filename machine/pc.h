/*
 * The boards: `pc` (i440FX, PIIX3, PIIX4 PM, PCI) and `isapc`. pc.c is the only file that knows port
 * numbers, IRQ numbers and physical addresses.
 */
#ifndef MACHINE_PC_H
#define MACHINE_PC_H

#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i82077.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/lpt.h"
#include "devices/mc146818.h"
#include "devices/ns16550.h"
#include "devices/pci.h"
#include "devices/piix.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/postcode.h"
#include "devices/ps2_kbd.h"
#include "devices/ps2_mouse.h"
#include "devices/vga.h"
#include "machine/machine.h"

#endif
