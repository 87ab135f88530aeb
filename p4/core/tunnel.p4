// SPDX-License-Identifier: Apache-2.0
//
//   ipip   outer IP ─────────────────┐
//   gre    outer IP ─ GRE ───────────┼─ the packet as it arrived, TTL - 1
//   gue    outer IP ─ UDP ─ GUE ─────┘
//
// The outer source varies with the flow's hash, and so does GUE's source port: receivers and routers on the way spread
// flows by the outer header alone. The outer header copies the traffic class and, between IPv4s, "don't fragment".

const bit<8> TUNNEL_TTL = 64;

control SwitchTunnel(inout headers_t hdr, in metadata_t meta) {
    ipv4_address_t ipv4_source = 0;
    ipv6_address_t ipv6_source = 0;

    action use_sources(ipv4_address_t ipv4_address, ipv4_address_t ipv4_mask, ipv6_address_t ipv6_address) {
        ipv4_source = ipv4_address | ((16w0 ++ meta.row_a) & ipv4_mask);
        ipv6_source = ipv6_address[127:16] ++ meta.row_a;
    }

    table tunnel_source {
        actions = { use_sources; }
        default_action = use_sources(0, 0, 0);
    }

    apply {
        protocol_t inner_protocol = PROTOCOL_IPV4;
        bit<16> inner_ether_type = ETHERTYPE_IPV4;
        bit<8> traffic_class = hdr.ipv4.traffic_class;
        packet_length_t inner_length = hdr.ipv4.total_length;
        bit<1> dont_fragment = hdr.ipv4.dont_fragment;
        bit<16> identification = hdr.ipv4.identification;
        if (hdr.ipv6.isValid()) {
            inner_protocol = PROTOCOL_IPV6;
            inner_ether_type = ETHERTYPE_IPV6;
            traffic_class = hdr.ipv6.traffic_class;
            inner_length = hdr.ipv6.payload_length + IPV6_OCTETS;
            // Nobody fragments IPv6 on its way.
            dont_fragment = 1;
            identification = 0;
        }

        protocol_t outer_protocol = inner_protocol;
        if (meta.forwarding == FORWARDING_GRE) {
            outer_protocol = PROTOCOL_GRE;
            hdr.gre.setValid();
            hdr.gre.flags = 0;
            hdr.gre.ether_type = inner_ether_type;
        } else if (meta.forwarding == FORWARDING_GUE) {
            outer_protocol = PROTOCOL_UDP;
            hdr.outer_udp.setValid();
            // RFC 6335: the dynamic ports.
            hdr.outer_udp.source_port = 2w3 ++ meta.row_a[13:0];
            hdr.outer_udp.target_port = meta.rewritten_port;
            hdr.outer_udp.length = inner_length + UDP_OCTETS + GUE_OCTETS;
            // RFC 6935 allows none for tunnels over IPv6 too: what is inside has its own.
            hdr.outer_udp.checksum = 0;
            hdr.gue.setValid();
            hdr.gue.variant = 0;
            hdr.gue.is_control = 0;
            hdr.gue.extension_words = 0;
            hdr.gue.protocol = inner_protocol;
            hdr.gue.flags = 0;
        }

        tunnel_source.apply();
        if (meta.next_hop_is_ipv6 == 0) {
            hdr.ethernet.ether_type = ETHERTYPE_IPV4;
            hdr.outer_ipv4.setValid();
            hdr.outer_ipv4.version = 4;
            hdr.outer_ipv4.header_words = 5;
            hdr.outer_ipv4.traffic_class = traffic_class;
            hdr.outer_ipv4.total_length = inner_length + meta.overhead;
            hdr.outer_ipv4.identification = identification;
            hdr.outer_ipv4.reserved = 0;
            hdr.outer_ipv4.dont_fragment = dont_fragment;
            hdr.outer_ipv4.more_fragments = 0;
            hdr.outer_ipv4.fragment_offset = 0;
            hdr.outer_ipv4.ttl = TUNNEL_TTL;
            hdr.outer_ipv4.protocol = outer_protocol;
            hdr.outer_ipv4.checksum = 0;
            hdr.outer_ipv4.source_address = ipv4_source;
            hdr.outer_ipv4.target_address = meta.rewritten_address;
        } else {
            hdr.ethernet.ether_type = ETHERTYPE_IPV6;
            hdr.outer_ipv6.setValid();
            hdr.outer_ipv6.version = 6;
            hdr.outer_ipv6.traffic_class = traffic_class;
            hdr.outer_ipv6.flow_label = 4w0 ++ meta.row_a;
            hdr.outer_ipv6.payload_length = inner_length + meta.overhead - IPV6_OCTETS;
            hdr.outer_ipv6.next_header = outer_protocol;
            hdr.outer_ipv6.hop_limit = TUNNEL_TTL;
            hdr.outer_ipv6.source_address = ipv6_source;
            hdr.outer_ipv6.target_address = meta.rewritten_address_ipv6;
        }
    }
}
