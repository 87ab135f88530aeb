// SPDX-License-Identifier: Apache-2.0
//
//   ARP, NDP ──────────────> is the address asked for ours?
//   to a vip ──────────────> is the source ours? Then it is forged.
//   anything else but what a backend sends ──> is the target ours? A ping is answered; the rest is dropped and says why.

control SwitchOwnAddress(in headers_t hdr, inout metadata_t meta) {
    action ours(mac_address_t mac) {
        meta.is_own = 1;
        meta.own_mac = mac;
    }

    action not_ours() {}

    table own_address {
        key = {
            meta.asked_address : exact @name("address");
        }
        actions = { ours; @defaultonly not_ours; }
        const default_action = not_ours();
        size = OWN_ADDRESS_ROWS;
    }

    table own_address_ipv6 {
        key = {
            meta.asked_address_ipv6 : exact @name("address");
        }
        actions = { ours; @defaultonly not_ours; }
        const default_action = not_ours();
        size = OWN_ADDRESS_ROWS;
    }

    apply {
        if (hdr.ipv6.isValid()) {
            if (meta.is_ours == 1) {
                meta.asked_address_ipv6 = hdr.ipv6.source_address;
            } else if (hdr.ndp.isValid() && hdr.icmp.message_type == NDP_SOLICITATION) {
                meta.asked_address_ipv6 = hdr.ndp.target_address;
            } else {
                meta.asked_address_ipv6 = hdr.ipv6.target_address;
            }
            own_address_ipv6.apply();
        } else {
            if (meta.is_ours == 1) {
                meta.asked_address = hdr.ipv4.source_address;
            } else if (hdr.ipv4.isValid()) {
                meta.asked_address = hdr.ipv4.target_address;
            } else {
                meta.asked_address = hdr.arp.target_address;
            }
            own_address.apply();
        }
        if (meta.is_own == 1 && !hdr.arp.isValid() && !hdr.ndp.isValid()) {
            if (meta.is_ours == 1) {
                meta.drop_reason = DROP_OWN_SOURCE;
            } else if (meta.has_options == 1) {
                meta.drop_reason = DROP_OPTIONS;
            } else if (meta.is_fragment == 1) {
                meta.drop_reason = DROP_FRAGMENT;
            } else if (meta.is_icmp_error == 1) {
                meta.drop_reason = DROP_ICMP_OF_NO_FLOW;
            } else {
                meta.drop_reason = DROP_NOT_SERVED;
                if (hdr.icmp.isValid() && hdr.icmp.code == 0
                    && ((hdr.ipv4.isValid() && hdr.icmp.message_type == ICMP_ECHO_REQUEST)
                        || (hdr.ipv6.isValid() && hdr.icmp.message_type == ICMPV6_ECHO_REQUEST))) {
                    meta.answer = ANSWER_ECHO;
                }
            }
        }
    }
}
