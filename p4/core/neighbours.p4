// SPDX-License-Identifier: Apache-2.0
//
//   ARP request, NDP solicitation for a vip or an address of ours ──> the answer, out of the port it came in by
//   ARP, NDP meant for us, or announced to all ──> neighbour digest, unless the sender is known as it says

control SwitchNeighbours(in headers_t hdr, inout metadata_t meta) {
    action known() {}
    action unknown() {
        meta.neighbour_digest = 1;
    }

    table known_neighbour {
        key = {
            meta.neighbour.address : exact @name("address");
            meta.neighbour.mac     : exact @name("mac");
            meta.neighbour.port    : exact @name("port");
        }
        actions = { known; @defaultonly unknown; }
        const default_action = unknown();
        size = NEIGHBOUR_ROWS;
    }

    table known_neighbour_ipv6 {
        key = {
            meta.neighbour_ipv6.address : exact @name("address");
            meta.neighbour_ipv6.mac     : exact @name("mac");
            meta.neighbour_ipv6.port    : exact @name("port");
        }
        actions = { known; @defaultonly unknown; }
        const default_action = unknown();
        size = NEIGHBOUR_ROWS;
    }

    apply {
        if (hdr.arp.isValid()) {
            meta.drop_reason = DROP_ARP_NOT_FOR_US;
            if (meta.is_own == 1 && hdr.arp.operation == ARP_REQUEST) {
                meta.answer = ANSWER_NEIGHBOUR;
            }
            // An address probe (RFC 5227) has no sender address; there is nobody to learn.
            bool is_announcement = hdr.arp.sender_address == hdr.arp.target_address;
            if ((meta.is_own == 1 || is_announcement) && hdr.arp.sender_address != 0) {
                meta.neighbour.address = hdr.arp.sender_address;
                meta.neighbour.mac = hdr.arp.sender_mac;
                meta.neighbour.port = meta.ingress_port;
                known_neighbour.apply();
            }
        } else {
            meta.drop_reason = DROP_NDP_NOT_FOR_US;
            // RFC 4861, 7.1: what a router has forwarded is not from a neighbour.
            if (hdr.ipv6.hop_limit == 255 && hdr.icmp.code == 0) {
                bool is_learned;
                if (hdr.icmp.message_type == NDP_SOLICITATION) {
                    if (meta.is_own == 1) {
                        meta.answer = ANSWER_NEIGHBOUR;
                    }
                    // Without a source address it asks whether the address is taken (RFC 4862).
                    is_learned = meta.is_own == 1 && hdr.ipv6.source_address != 0
                        && hdr.ndp_option.option_type == NDP_SOURCE_MAC;
                    meta.neighbour_ipv6.address = hdr.ipv6.source_address;
                } else {
                    is_learned = (meta.is_own == 1 || hdr.ipv6.target_address[127:120] == 0xff)
                        && hdr.ndp_option.option_type == NDP_TARGET_MAC;
                    meta.neighbour_ipv6.address = hdr.ndp.target_address;
                }
                if (is_learned && hdr.ndp_option.isValid() && hdr.ndp_option.length == 1) {
                    meta.neighbour_ipv6.mac = hdr.ndp_option.mac;
                    meta.neighbour_ipv6.port = meta.ingress_port;
                    known_neighbour_ipv6.apply();
                }
            }
        }
    }
}
