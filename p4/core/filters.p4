// SPDX-License-Identifier: Apache-2.0
//
//              ┌─ filter slot 0 ─┐
//   row a, b ──┼─ filter slot 1 ─┼─> known (4 bits) ──> oldest live slot that knows the flow ──> column, learn
//   epoch[i]   ├─ filter slot 2 ─┤                      none knows it, opening ──> active column
//              └─ filter slot 3 ─┘                      none knows it, not opening ──> base
//
// Every live slot is asked once; in the active one an opening packet leaves its mark at the same time.
// Slots are used in turn, so the slot after the active one is the oldest.

control SwitchFilters(in headers_t hdr, inout metadata_t meta, out bool is_known) {
    SwitchFilterHash() filter_hash;
    SwitchFilterHashIpv6() filter_hash_ipv6;
    SwitchFilterSlot() slot0;
    SwitchFilterSlot() slot1;
    SwitchFilterSlot() slot2;
    SwitchFilterSlot() slot3;

    action from_slot0() { meta.column = meta.version.column0; meta.learn = meta.version.learn0; }
    action from_slot1() { meta.column = meta.version.column1; meta.learn = meta.version.learn1; }
    action from_slot2() { meta.column = meta.version.column2; meta.learn = meta.version.learn2; }
    action from_slot3() { meta.column = meta.version.column3; meta.learn = meta.version.learn3; }
    action unknown() { meta.column = BASE; meta.learn = 0; }

    // Tofino wants a size even where the entries are constant; BMv2's back end warns of it.
    @noWarn("mismatch")
    table oldest_filter {
        key = {
            meta.version.active : exact   @name("active");
            meta.known          : ternary @name("known");
        }
        actions = { from_slot0; from_slot1; from_slot2; from_slot3; @defaultonly unknown; }
        const default_action = unknown();
        const entries = {
            (0, 0b0010 &&& 0b0010) : from_slot1();
            (0, 0b0100 &&& 0b0100) : from_slot2();
            (0, 0b1000 &&& 0b1000) : from_slot3();
            (0, 0b0001 &&& 0b0001) : from_slot0();
            (1, 0b0100 &&& 0b0100) : from_slot2();
            (1, 0b1000 &&& 0b1000) : from_slot3();
            (1, 0b0001 &&& 0b0001) : from_slot0();
            (1, 0b0010 &&& 0b0010) : from_slot1();
            (2, 0b1000 &&& 0b1000) : from_slot3();
            (2, 0b0001 &&& 0b0001) : from_slot0();
            (2, 0b0010 &&& 0b0010) : from_slot1();
            (2, 0b0100 &&& 0b0100) : from_slot2();
            (3, 0b0001 &&& 0b0001) : from_slot0();
            (3, 0b0010 &&& 0b0010) : from_slot1();
            (3, 0b0100 &&& 0b0100) : from_slot2();
            (3, 0b1000 &&& 0b1000) : from_slot3();
        }
        size = 16;
    }

    @noWarn("mismatch")
    table active_filter {
        key = {
            meta.version.active : exact @name("active");
        }
        actions = { from_slot0; from_slot1; from_slot2; from_slot3; @defaultonly unknown; }
        const default_action = unknown();
        const entries = {
            (0) : from_slot0();
            (1) : from_slot1();
            (2) : from_slot2();
            (3) : from_slot3();
        }
        size = 4;
    }

    apply {
        filter_index_t row_b;
        bit<1> known0;
        bit<1> known1;
        bit<1> known2;
        bit<1> known3;
        if (hdr.ipv4.isValid()) {
            filter_hash.apply(meta.flow, row_b);
        } else {
            filter_hash_ipv6.apply(meta.flow, meta.flow_ipv6, row_b);
        }
        slot0.apply(meta.row_a, row_b, meta.version.epoch0, meta.is_opening == 1 && meta.version.active == 0, known0);
        slot1.apply(meta.row_a, row_b, meta.version.epoch1, meta.is_opening == 1 && meta.version.active == 1, known1);
        slot2.apply(meta.row_a, row_b, meta.version.epoch2, meta.is_opening == 1 && meta.version.active == 2, known2);
        slot3.apply(meta.row_a, row_b, meta.version.epoch3, meta.is_opening == 1 && meta.version.active == 3, known3);
        meta.known = known3 ++ known2 ++ known1 ++ known0;

        is_known = oldest_filter.apply().hit;
        if (!is_known && meta.is_opening == 1) {
            active_filter.apply();
        }
    }
}
