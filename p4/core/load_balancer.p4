// SPDX-License-Identifier: Apache-2.0
//
//   vip ──> pin ──miss──> slot ──unstable──> version ──> filters ──> slot_version ──┐
//    │       └──hit────────┼──stable──────────────────────────────────────────────────┴──> backend
//    └─miss──> return path (from a backend), or not ours
//
// Only an opening packet at an unstable slot changes anything here, and then only filter bits.

control SwitchLoadBalancer(inout headers_t hdr, inout metadata_t meta) {
    SwitchVip() vip_lookup;
    SwitchPin() pin_lookup;
    SwitchSlot() slot_lookup;
    SwitchVersion() version_lookup;
    SwitchFilters() filters;
    SwitchSlotVersion() slot_version_lookup;
    SwitchBackend() backend_lookup;
    SwitchReturnPath() return_path_lookup;
    SwitchCounter(POOLS) vip_traffic;
    SwitchCounter(DECISIONS) decisions;

    apply {
        bool is_ours = false;
        if (meta.has_flow == 1) {
            vip_lookup.apply(meta, is_ours);
        }
        if (is_ours) {
            bool is_pinned;
            vip_traffic.apply((bit<32>)meta.pool);
            pin_lookup.apply(meta, is_pinned);
            slot_lookup.apply(meta);
            if (is_pinned) {
                meta.decision = DECISION_PINNED;
                meta.backend = meta.pinned;
                if (meta.is_closing == 1) {
                    meta.flow_digest = DIGEST_CLOSING;
                } else if (meta.is_opening == 1 && meta.flow.protocol == PROTOCOL_TCP) {
                    meta.flow_digest = DIGEST_OPENING;
                }
            } else if (meta.unstable == 0) {
                meta.decision = DECISION_STABLE;
            } else {
                bool is_known;
                bool has_row = false;
                version_lookup.apply(meta);
                filters.apply(meta, is_known);
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
                        && (meta.is_opening == 0 || meta.flow.protocol == PROTOCOL_UDP)) {
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
            backend_lookup.apply(hdr, meta);
        } else if (meta.has_flow == 1) {
            return_path_lookup.apply(hdr, meta);
        } else {
            meta.decision = DECISION_ROUTED;
        }
        decisions.apply((bit<32>)meta.decision);
    }
}
