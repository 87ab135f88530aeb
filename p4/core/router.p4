// SPDX-License-Identifier: Apache-2.0
//
//   address to route by ──> route (longest prefix) ──> next hop ──> neighbour ──> port, MAC addresses, MTU of the link
//                             (not for L2 DSR: its next hop is given)                  └─too big──> answer, or drop
//
// IPv4 and IPv6 by the next hop's family: a tunnel's outer header need not be of the packet's.

control SwitchRouter(in headers_t hdr, inout metadata_t meta) {
    action via(ipv4_address_t next_hop) {
        meta.next_hop = next_hop;
    }

    action via_ipv6(ipv6_address_t next_hop) {
        meta.next_hop_ipv6 = next_hop;
    }

    action on_link() {}

    action no_route() {
        meta.drop_reason = DROP_NO_ROUTE;
    }

    table route {
        key = {
            meta.next_hop : lpm @name("prefix");
        }
        actions = { via; on_link; @defaultonly no_route; }
        const default_action = no_route();
        size = ROUTE_ROWS;
    }

    table route_ipv6 {
        key = {
            meta.next_hop_ipv6 : lpm @name("prefix");
        }
        actions = { via_ipv6; on_link; @defaultonly no_route; }
        const default_action = no_route();
        size = ROUTE_ROWS;
    }

    action to_neighbour(port_t port, mac_address_t source_mac, mac_address_t target_mac, packet_length_t mtu) {
        meta.egress_port = port;
        meta.source_mac = source_mac;
        meta.target_mac = target_mac;
        meta.mtu = mtu;
    }

    action no_neighbour() {
        meta.drop_reason = DROP_NO_NEIGHBOUR;
    }

    table neighbour {
        key = {
            meta.next_hop : exact @name("address");
        }
        actions = { to_neighbour; @defaultonly no_neighbour; }
        const default_action = no_neighbour();
        size = NEIGHBOUR_ROWS;
    }

    table neighbour_ipv6 {
        key = {
            meta.next_hop_ipv6 : exact @name("address");
        }
        actions = { to_neighbour; @defaultonly no_neighbour; }
        const default_action = no_neighbour();
        size = NEIGHBOUR_ROWS;
    }

    apply {
        if (meta.next_hop_is_ipv6 == 0) {
            if (meta.forwarding != FORWARDING_L2_DSR) {
                route.apply();
            }
            if (meta.drop_reason == DROP_NONE) {
                neighbour.apply();
            }
        } else {
            if (meta.forwarding != FORWARDING_L2_DSR) {
                route_ipv6.apply();
            }
            if (meta.drop_reason == DROP_NONE) {
                neighbour_ipv6.apply();
            }
        }
        if (meta.mtu != 0) {
            // What the link has room for of this packet; an answer says the same number.
            meta.mtu = meta.mtu - meta.overhead;
            packet_length_t length = hdr.ipv4.total_length;
            if (hdr.ipv6.isValid()) {
                length = hdr.ipv6.payload_length + IPV6_OCTETS;
            }
            if (length > meta.mtu) {
                meta.drop_reason = DROP_TOO_BIG;
                meta.answer = ANSWER_TOO_BIG;
            }
        }
    }
}
