// SPDX-License-Identifier: Apache-2.0
//
//   vip's pool ──> hint ──none──> pin ──miss──> slot ──unstable──> version ──> filters ──> slot_version ──┐
//                   └─named───────┴─hit───────────┴─stable────────────────────────────────────────────────┴──> backend
//                                                                                    none alive ──> answer, or drop
//
// Only an opening packet at an unstable slot changes anything here, and then only filter bits.

control SwitchLoadBalancer(in headers_t hdr, inout metadata_t meta) {
    SwitchSlotHash() slot_hash;
    SwitchHint() hint_lookup;
    SwitchPin() pin_lookup;
    SwitchSlot() slot_lookup;
    SwitchVersion() version_lookup;
    SwitchFilters() filters;
    SwitchSlotVersion() slot_version_lookup;
    SwitchBackend() backend_lookup;
    SwitchCounter(POOLS) vip_traffic;

    apply {
        bool is_hinted = false;
        vip_traffic.apply((bit<32>)meta.pool);
        slot_hash.apply(hdr, meta);
        if (meta.hint_kind != HINT_NONE) {
            hint_lookup.apply(hdr, meta, is_hinted);
        }
        if (is_hinted) {
            meta.decision = DECISION_HINTED;
        } else {
            bool is_pinned;
            pin_lookup.apply(hdr, meta, is_pinned);
            slot_lookup.apply(meta);
            if (is_pinned) {
                meta.decision = DECISION_PINNED;
                meta.backend = meta.pinned;
                if (meta.is_closing == 1) {
                    meta.flow_digest = DIGEST_CLOSING;
                } else if (meta.is_opening == 1 && meta.flow.protocol == PROTOCOL_TCP && meta.is_by_fragment == 0) {
                    meta.flow_digest = DIGEST_OPENING;
                }
            } else if (meta.unstable == 0) {
                meta.decision = DECISION_STABLE;
            } else {
                bool is_known;
                bool has_row = false;
                version_lookup.apply(meta);
                filters.apply(hdr, meta, is_known);
                if (meta.column != BASE) {
                    slot_version_lookup.apply(meta, has_row);
                }
                // A SYN raises no digest: only who has answered the handshake can get a pin. UDP has no handshake;
                // its second packet speaks for it. A RST raises none either: the host whose address a flood borrowed sends it.
                // Nor does a flow that is on base anyway, unless base's flows are to be pinned.
                if (is_known) {
                    meta.decision = DECISION_FILTER;
                    if (meta.learn == 1 && meta.is_reset == 0
                        && (has_row || meta.pin_base == 1)
                        && (meta.is_opening == 0 || meta.flow.protocol != PROTOCOL_TCP || meta.is_by_fragment == 1)) {
                        meta.flow_digest = DIGEST_LEARN;
                    }
                } else if (meta.is_opening == 1) {
                    meta.decision = DECISION_NEW;
                } else {
                    meta.decision = DECISION_BASE;
                    if (meta.pin_base == 1 && meta.is_reset == 0) {
                        meta.flow_digest = DIGEST_OLD;
                    }
                }
            }
            // What a stranger says of a flow moves no pin.
            if (meta.is_icmp_error == 1) {
                meta.decision = DECISION_ICMP_ERROR;
                meta.flow_digest = 0;
            } else if (meta.is_by_fragment == 1 && meta.decision != DECISION_NEW) {
                meta.decision = DECISION_FRAGMENT;
            }
        }
        if (meta.backend != NO_BACKEND) {
            backend_lookup.apply(meta);
        } else {
            meta.drop_reason = DROP_DEAD_POOL;
            meta.flow_digest = 0;
            if (meta.on_dead == ON_DEAD_UNREACHABLE) {
                meta.answer = ANSWER_HOST_UNREACHABLE;
            } else if (meta.on_dead == ON_DEAD_RESET && hdr.tcp.isValid()) {
                meta.answer = ANSWER_RESET;
            } else if (meta.on_dead == ON_DEAD_RESET) {
                meta.answer = ANSWER_PORT_UNREACHABLE;
            }
        }
    }
}
