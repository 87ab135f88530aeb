// SPDX-License-Identifier: Apache-2.0
//
//   pool, slot ──by_prefix? no──> slot ─────────┬──> backend (base, while the slot is unstable), unstable, pin_base
//                └───────yes──> slot_prefix ──┘
//
// A pool has its rows in one of the two tables, as its vip says: a row a slot, or a row for slots with the same first bits.
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

    table slot_prefix {
        key = {
            meta.pool : exact @name("pool");
            meta.slot : lpm   @name("slot");
        }
        actions = { set_slot; }
        const default_action = set_slot(0, 0, NO_BACKEND);
        size = SLOT_PREFIX_ROWS;
    }

    apply {
        if (meta.by_prefix == 0) {
            slot.apply();
        } else {
            slot_prefix.apply();
        }
    }
}
