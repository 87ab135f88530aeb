// SPDX-License-Identifier: Apache-2.0
//
//   pool, slot ──> slot ──> backend (base, while the slot is unstable), unstable
//
// One action, so that a target can address the rows directly.

control SwitchSlot(inout metadata_t meta) {
    action set_slot(bit<1> unstable, backend_id_t backend) {
        meta.unstable = unstable;
        meta.backend = backend;
    }

    table slot {
        key = {
            meta.pool : exact @name("pool");
            meta.slot : exact @name("slot");
        }
        actions = { set_slot; }
        const default_action = set_slot(0, NO_BACKEND);
        size = SLOT_ROWS;
    }

    apply {
        slot.apply();
    }
}
