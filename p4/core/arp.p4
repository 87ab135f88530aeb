// SPDX-License-Identifier: Apache-2.0
//
//   ARP request for a vip or an address of ours ──> the reply, out of the port it came in by
//   any ARP packet meant for us, or gratuitous  ──> neighbour digest, unless the sender is known as it says

control SwitchArp(inout headers_t hdr, inout metadata_t meta) {
    action ours(mac_address_t mac) {
        // `mac` is what a request is answered with; a reply or an announcement only tells of its sender.
        hdr.arp.target_mac = mac;
    }

    action not_ours() {}

    table own_address {
        key = {
            hdr.arp.target_address : exact @name("address");
        }
        actions = { ours; @defaultonly not_ours; }
        const default_action = not_ours();
        size = OWN_ADDRESS_ROWS;
    }

    action known() {}
    action unknown() {
        meta.neighbour_digest = 1;
    }

    table known_neighbour {
        key = {
            hdr.arp.sender_address : exact @name("address");
            hdr.arp.sender_mac     : exact @name("mac");
            meta.ingress_port      : exact @name("port");
        }
        actions = { known; @defaultonly unknown; }
        const default_action = unknown();
        size = NEIGHBOUR_ROWS;
    }

    apply {
        bool is_for_us = own_address.apply().hit;
        // An address probe (RFC 5227) has no sender address; there is nobody to learn.
        bool is_announcement = hdr.arp.sender_address == hdr.arp.target_address;
        if ((is_for_us || is_announcement) && hdr.arp.sender_address != 0) {
            meta.neighbour.address = hdr.arp.sender_address;
            meta.neighbour.mac = hdr.arp.sender_mac;
            meta.neighbour.port = meta.ingress_port;
            known_neighbour.apply();
        }
        if (is_for_us && hdr.arp.operation == ARP_REQUEST) {
            mac_address_t own_mac = hdr.arp.target_mac;
            ipv4_address_t own_address_asked = hdr.arp.target_address;
            hdr.arp.operation = ARP_REPLY;
            hdr.arp.target_mac = hdr.arp.sender_mac;
            hdr.arp.target_address = hdr.arp.sender_address;
            hdr.arp.sender_mac = own_mac;
            hdr.arp.sender_address = own_address_asked;
            hdr.ethernet.target_mac = hdr.ethernet.source_mac;
            hdr.ethernet.source_mac = own_mac;
            meta.egress_port = meta.ingress_port;
        } else {
            meta.drop_reason = DROP_ARP_NOT_FOR_US;
        }
    }
}
