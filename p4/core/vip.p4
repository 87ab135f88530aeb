// SPDX-License-Identifier: Apache-2.0
//
//   a fragment: address, protocol ──> vip_fragment ──hit──┐
//                                        └─miss (and has ports)
//   address, protocol, port ──> vip ──────hit─────────────┴─> pool, slot mask, affinity, hint, on_dead, by_prefix
//                                └─miss──> not ours
//
// Each for IPv4 and for IPv6: an exact key of 32 bits costs a quarter of one of 128.

control SwitchVip(in headers_t hdr, inout metadata_t meta) {
    action serve(pool_id_t pool, slot_id_t slot_mask, bit<1> affinity, hint_kind_t hint, on_dead_t on_dead,
                 bit<1> by_prefix) {
        meta.is_ours = 1;
        meta.pool = pool;
        meta.slot_mask = slot_mask;
        meta.affinity = affinity;
        meta.hint_kind = hint;
        meta.on_dead = on_dead;
        meta.by_prefix = by_prefix;
    }

    // The whole flow of fragments is one flow with ports 0, and opens with every packet, as UDP does.
    action serve_fragments(pool_id_t pool, slot_id_t slot_mask, bit<1> affinity, on_dead_t on_dead, bit<1> by_prefix) {
        meta.is_ours = 1;
        meta.is_by_fragment = 1;
        meta.pool = pool;
        meta.slot_mask = slot_mask;
        meta.affinity = affinity;
        meta.on_dead = on_dead;
        meta.by_prefix = by_prefix;
        meta.arrived_target_port = meta.flow.target_port;
        meta.flow.source_port = 0;
        meta.flow.target_port = 0;
        meta.is_opening = 1;
        meta.is_closing = 0;
        meta.is_reset = 0;
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

    table vip_ipv6 {
        key = {
            meta.flow_ipv6.target_address : exact @name("address");
            meta.flow.protocol            : exact @name("protocol");
            meta.flow.target_port         : exact @name("port");
        }
        actions = { serve; @defaultonly not_ours; }
        const default_action = not_ours();
        size = VIP_ROWS;
    }

    table vip_fragment {
        key = {
            meta.flow.target_address : exact @name("address");
            meta.flow.protocol       : exact @name("protocol");
        }
        actions = { serve_fragments; @defaultonly not_ours; }
        const default_action = not_ours();
        size = VIP_FRAGMENT_ROWS;
    }

    table vip_fragment_ipv6 {
        key = {
            meta.flow_ipv6.target_address : exact @name("address");
            meta.flow.protocol            : exact @name("protocol");
        }
        actions = { serve_fragments; @defaultonly not_ours; }
        const default_action = not_ours();
        size = VIP_FRAGMENT_ROWS;
    }

    apply {
        if (hdr.ipv4.isValid()) {
            if (meta.is_fragment == 1) {
                vip_fragment.apply();
            }
            if (meta.has_flow == 1 && meta.is_by_fragment == 0) {
                vip.apply();
            }
        } else {
            if (meta.is_fragment == 1) {
                vip_fragment_ipv6.apply();
            }
            if (meta.has_flow == 1 && meta.is_by_fragment == 0) {
                vip_ipv6.apply();
            }
        }
    }
}
