// SPDX-License-Identifier: Apache-2.0
//
//   address, protocol, port ──> vip ──hit──> pool, slot mask ──> hash ──> slot, filter rows
//                                └─miss──> not ours

control SwitchVip(inout metadata_t meta, out bool is_ours) {
    SwitchFlowHash() flow_hash;

    action serve(pool_id_t pool, slot_id_t slot_mask) {
        meta.pool = pool;
        meta.slot_mask = slot_mask;
    }

    action not_ours() {}

    table vip {
        key = {
            meta.flow.target_address : exact @name("address");
            meta.flow.protocol       : exact @name("protocol");
            meta.flow.target_port    : exact @name("port");
        }
        actions = { serve; @defaultonly not_ours; }
        const default_action = not_ours();
        size = VIP_ROWS;
    }

    apply {
        is_ours = vip.apply().hit;
        if (is_ours) {
            bit<32> crc32;
            bit<16> crc16;
            flow_hash.apply(meta.flow, crc32, crc16);
            // The bits that choose the slot choose no filter cell: the flows of one slot spread over the whole filter.
            meta.slot = crc32[15:0] & meta.slot_mask;
            meta.row_a = crc32[31:16];
            meta.row_b = crc16;
        }
    }
}
