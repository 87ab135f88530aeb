// SPDX-License-Identifier: Apache-2.0
//
//   pool, slot ──> slot ──> backend (base, while the slot is unstable), unstable, pin_base
//
// pin_base: base has flows that are to leave it, or be left there alone: they are to be pinned as they speak.
// One action, so that a target can address the rows directly.

control SwitchSlot(inout metadata_t meta) {
    action set_slot(bit<1> unstable, bit<1> pin_base, backend_id_t backend) {
        meta.unstable = unstable;
        meta.pin_base = pin_base;
        meta.backend = backend;
    }

    table slot {
        key = {
            meta.pool : exact @name("pool");
            meta.slot : exact @name("slot");
        }
        actions = { set_slot; }
        const default_action = set_slot(0, 0, NO_BACKEND);
        size = SLOT_ROWS;
    }

    apply {
        slot.apply();
    }
}
