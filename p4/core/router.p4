// SPDX-License-Identifier: Apache-2.0
//
//   target address ──> route (longest prefix) ──> next hop ──> neighbour ──> port, MAC addresses; TTL - 1

control SwitchRouter(inout headers_t hdr, inout metadata_t meta) {
    action via(ipv4_address_t next_hop) {
        meta.next_hop = next_hop;
    }

    action on_link() {
        meta.next_hop = hdr.ipv4.target_address;
    }

    action no_route() {
        meta.drop_reason = DROP_NO_ROUTE;
    }

    table route {
        key = {
            hdr.ipv4.target_address : lpm @name("prefix");
        }
        actions = { via; on_link; @defaultonly no_route; }
        const default_action = no_route();
        size = ROUTE_ROWS;
    }

    action to_neighbour(port_t port, mac_address_t source_mac, mac_address_t target_mac) {
        meta.egress_port = port;
        hdr.ethernet.source_mac = source_mac;
        hdr.ethernet.target_mac = target_mac;
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

    apply {
        if (hdr.ipv4.ttl <= 1) {
            meta.drop_reason = DROP_TTL;
        } else if (route.apply().hit) {
            hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
            neighbour.apply();
        }
    }
}
