// SPDX-License-Identifier: Apache-2.0
// A packet's life, from parsed to forwarded. The shell around it says what a port is and how a packet is dropped.
//
//   from the controller ──> its port
//   IP       ──> guard ──> vip, or return path ──> own address? ──> load balancer (of a vip) ──> router ──> rewrite
//   ARP, NDP ───────────────────────────────────> own address? ──> neighbours
//                  │              │                    │                │             │
//                  └──────────────┴────────────────────┴────────────────┴─────────────┴──> answer, or drop
//
// drop_reason ends a packet's way; an answer, where one is due and can be given, takes the place of the drop. So every
// packet but the controller's is counted once: in `decisions` or in `drops`. A new flow is counted as such even when its packet
// is dropped, for it has left its mark in a filter.

control SwitchPipeline(inout headers_t hdr, inout metadata_t meta) {
    SwitchGuard() guard;
    SwitchVip() vip_lookup;
    SwitchReturnPath() return_path_lookup;
    SwitchOwnAddress() own_address_lookup;
    SwitchNeighbours() neighbours;
    SwitchLoadBalancer() load_balancer;
    SwitchRouter() router;
    SwitchRewrite() rewrite;
    SwitchLimit() limit;
    SwitchAnswer() answer;
    SwitchCounter(DECISIONS) decisions;
    SwitchCounter(DROP_REASONS) drops;

    apply {
        if (hdr.packet_out.isValid()) {
            meta.egress_port = hdr.packet_out.egress_port;
        } else {
            if (!hdr.ipv4.isValid() && !hdr.ipv6.isValid() && !hdr.arp.isValid() && meta.drop_reason == DROP_NONE) {
                meta.drop_reason = DROP_NOT_IP;
            }
            if (meta.drop_reason == DROP_NONE) {
                guard.apply(hdr, meta);
            }
            if (meta.drop_reason == DROP_NONE) {
                meta.decision = DECISION_ROUTED;
                if (meta.has_flow == 1 || meta.is_fragment == 1) {
                    vip_lookup.apply(hdr, meta);
                    if (meta.is_ours == 0 && meta.has_flow == 1) {
                        return_path_lookup.apply(hdr, meta);
                    }
                }
                if (meta.forwarding == FORWARDING_RETURN) {
                    meta.decision = DECISION_RETURN;
                    if (meta.is_icmp_error == 1) {
                        meta.decision = DECISION_ICMP_ERROR;
                    }
                } else {
                    own_address_lookup.apply(hdr, meta);
                }
                if (hdr.arp.isValid() || hdr.ndp.isValid()) {
                    neighbours.apply(hdr, meta);
                }
            }
            if (meta.drop_reason == DROP_NONE) {
                if (meta.ttl <= 1) {
                    meta.drop_reason = DROP_TTL;
                    meta.answer = ANSWER_TIME_EXCEEDED;
                } else if (meta.is_ours == 1) {
                    load_balancer.apply(hdr, meta);
                } else if (hdr.ipv4.isValid()) {
                    meta.next_hop = hdr.ipv4.target_address;
                } else {
                    meta.next_hop_is_ipv6 = 1;
                    meta.next_hop_ipv6 = hdr.ipv6.target_address;
                }
            }
            if (meta.drop_reason == DROP_NONE) {
                router.apply(hdr, meta);
            }
            if (meta.flow_digest != 0 || meta.neighbour_digest == 1 || meta.answer > ANSWER_NEIGHBOUR) {
                limit.apply(meta);
            }
            if (meta.drop_reason == DROP_NONE) {
                rewrite.apply(hdr, meta);
            } else if (meta.answer != ANSWER_NONE) {
                // A new flow has left its mark in a filter, whoever answers it: that is what new ones are counted for.
                if (meta.decision != DECISION_NEW) {
                    meta.decision = DECISION_ANSWERED;
                }
                answer.apply(hdr, meta);
            }
            if (meta.drop_reason == DROP_NONE || meta.decision == DECISION_NEW) {
                decisions.apply((bit<32>)meta.decision);
            }
            if (meta.drop_reason != DROP_NONE) {
                drops.apply((bit<32>)meta.drop_reason);
            }
        }
    }
}
