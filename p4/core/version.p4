// SPDX-License-Identifier: Apache-2.0
//
//   version (no key) ──> active filter slot; per filter slot: epoch, column, learn
//   pool, slot, column ──> slot_version, or slot_version_prefix ──> backend of columns 1..3; no row: base
//
// One MODIFY of version's default action is the only atomic step in the system.

control SwitchVersion(inout metadata_t meta) {
    action use_version(filter_slot_t active,
                       epoch_t epoch0, column_t column0, bit<1> learn0,
                       epoch_t epoch1, column_t column1, bit<1> learn1,
                       epoch_t epoch2, column_t column2, bit<1> learn2,
                       epoch_t epoch3, column_t column3, bit<1> learn3) {
        meta.version.active = active;
        meta.version.epoch0 = epoch0;
        meta.version.column0 = column0;
        meta.version.learn0 = learn0;
        meta.version.epoch1 = epoch1;
        meta.version.column1 = column1;
        meta.version.learn1 = learn1;
        meta.version.epoch2 = epoch2;
        meta.version.column2 = column2;
        meta.version.learn2 = learn2;
        meta.version.epoch3 = epoch3;
        meta.version.column3 = column3;
        meta.version.learn3 = learn3;
    }

    table version {
        actions = { use_version; }
        // Epoch 1 of filter slot 0 on base: what a switch without a controller needs.
        default_action = use_version(0, 1, BASE, 0, NOT_LIVE, BASE, 0, NOT_LIVE, BASE, 0, NOT_LIVE, BASE, 0);
    }

    apply {
        version.apply();
    }
}

control SwitchSlotVersion(inout metadata_t meta, out bool has_row) {
    action set_backend(backend_id_t backend) {
        meta.backend = backend;
    }

    action keep_base() {}

    table slot_version {
        key = {
            meta.pool   : exact @name("pool");
            meta.slot   : exact @name("slot");
            meta.column : exact @name("column");
        }
        actions = { set_backend; @defaultonly keep_base; }
        const default_action = keep_base();
        size = SLOT_VERSION_ROWS;
    }

    table slot_version_prefix {
        key = {
            meta.pool   : exact @name("pool");
            meta.column : exact @name("column");
            meta.slot   : lpm   @name("slot");
        }
        actions = { set_backend; @defaultonly keep_base; }
        const default_action = keep_base();
        size = SLOT_VERSION_PREFIX_ROWS;
    }

    apply {
        if (meta.by_prefix == 0) {
            has_row = slot_version.apply().hit;
        } else {
            has_row = slot_version_prefix.apply().hit;
        }
    }
}
