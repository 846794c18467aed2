/* A card in a PCI slot: identity and windows. See pci_card.h; PCI 2.1, chapter 6. */
#include "devices/pci_card.h"

STATE_DESC(pci_card_desc, struct pci_card_state, 1,
           FIELD_STRUCT(struct pci_card_state, pci, struct pci_config, pci_config_desc,
                        "configuration space"));

static void pci_card_reset(void *dev, enum reset_kind kind)
{
    struct pci_card *c = dev;
    (void)kind;
    pci_function_reset(&c->fn);
    pci_function_update(&c->fn);
}

static enum emu_err pci_card_post_load(void *dev, struct error *err)
{
    (void)err;
    pci_function_update(&((struct pci_card *)dev)->fn);
    return EMU_OK;
}

bool pci_card_is_master(const struct pci_card *c)
{
    return pci_get(&c->fn, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

const struct device_class pci_card_class = {
    .name = "pci_card",
    .state = &pci_card_desc,
    .state_offset = offsetof(struct pci_card, st),
    .reset = pci_card_reset,
    .post_load = pci_card_post_load,
};

void pci_card_init(struct pci_card *c, const char *id, const char *name, const struct pci_identity *identity)
{
    *c = (struct pci_card){.dev = {.cls = &pci_card_class, .id = id}, .identity = *identity};
    pci_function_init(&c->fn, name, c, &c->st.pci, &c->identity);
    pci_function_reset(&c->fn);
}
