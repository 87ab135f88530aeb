// SPDX-License-Identifier: Apache-2.0
//
//  ethernet ─┬─ arp
//            ├─ ipv4 ─┬────────────┬─ tcp ─ options (only for a server's name)
//            └─ ipv6 ─┴─ fragment ─┼─ udp ─ quic short header
//                                  ├─ icmp ─┬─ error: quoted ip ─ quoted ports, as the flow seen from the client
//                                  │        └─ ndp ─ its first option
//                                  └─ other: its first octets, to be quoted
//
// What stands behind IP options, extension headers and in later fragments stays unread: no bytes are taken for ports.

parser SwitchPacketParser(packet_in packet, out headers_t hdr, inout metadata_t meta) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            ETHERTYPE_ARP:  parse_arp;
            default:        accept;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        meta.ttl = hdr.ipv4.ttl;
        meta.flow.source_address = hdr.ipv4.source_address;
        meta.flow.target_address = hdr.ipv4.target_address;
        meta.flow.protocol = hdr.ipv4.protocol;
        transition select(hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.more_fragments,
                          hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (4, 5, 0, 0, PROTOCOL_TCP):  parse_tcp;
            (4, 5, 0, 0, PROTOCOL_UDP):  parse_udp;
            (4, 5, 0, 0, PROTOCOL_ICMP): parse_icmp;
            (4, 5, 0, 0, _):             parse_other_ipv4;
            (4, 5, 1, 0, PROTOCOL_TCP):  first_fragment_tcp;
            (4, 5, 1, 0, PROTOCOL_UDP):  first_fragment_udp;
            (4, 5, _, _, _):             later_fragment;
            (4, 6 &&& 0xe, 0, 0, _):     options;
            (4, 8 &&& 0x8, 0, 0, _):     options;
            (4, 6 &&& 0xe, _, _, _):     options_of_fragment;
            (4, 8 &&& 0x8, _, _, _):     options_of_fragment;
            default: malformed;
        }
    }

    state parse_ipv6 {
        packet.extract(hdr.ipv6);
        meta.ttl = hdr.ipv6.hop_limit;
        meta.flow_ipv6.source_address = hdr.ipv6.source_address;
        meta.flow_ipv6.target_address = hdr.ipv6.target_address;
        meta.flow.protocol = hdr.ipv6.next_header;
        transition select(hdr.ipv6.version, hdr.ipv6.next_header) {
            (6, PROTOCOL_TCP):      parse_tcp;
            (6, PROTOCOL_UDP):      parse_udp;
            (6, PROTOCOL_ICMPV6):   parse_icmpv6;
            (6, PROTOCOL_FRAGMENT): parse_ipv6_fragment;
            (6, PROTOCOL_HOP_BY_HOP):          options;
            (6, PROTOCOL_ROUTING):             options;
            (6, PROTOCOL_AUTHENTICATION):      options;
            (6, PROTOCOL_DESTINATION_OPTIONS): options;
            (6, _): parse_other_ipv6;
            default: malformed;
        }
    }

    state parse_ipv6_fragment {
        packet.extract(hdr.ipv6_fragment);
        meta.flow.protocol = hdr.ipv6_fragment.next_header;
        transition select(hdr.ipv6_fragment.fragment_offset, hdr.ipv6_fragment.more_fragments,
                          hdr.ipv6_fragment.next_header) {
            // RFC 6946: a fragment that is the whole packet.
            (0, 0, PROTOCOL_TCP): parse_tcp;
            (0, 0, PROTOCOL_UDP): parse_udp;
            (0, 1, PROTOCOL_TCP): first_fragment_tcp;
            (0, 1, PROTOCOL_UDP): first_fragment_udp;
            default: later_fragment;
        }
    }

    state first_fragment_tcp {
        meta.is_fragment = 1;
        transition parse_tcp;
    }

    state first_fragment_udp {
        meta.is_fragment = 1;
        transition parse_udp;
    }

    state later_fragment {
        meta.is_fragment = 1;
        transition accept;
    }

    state options_of_fragment {
        meta.is_fragment = 1;
        transition options;
    }

    state options {
        meta.has_options = 1;
        transition accept;
    }

    state malformed {
        meta.drop_reason = DROP_MALFORMED;
        transition accept;
    }

    state parse_other_ipv4 {
        transition select(hdr.ipv4.total_length) {
            0 .. 27: accept;
            default: parse_l4_start;
        }
    }

    state parse_other_ipv6 {
        transition select(hdr.ipv6.payload_length) {
            0 .. 7:  accept;
            default: parse_l4_start;
        }
    }

    state parse_l4_start {
        packet.extract(hdr.l4_start);
        transition accept;
    }

    state parse_tcp {
        packet.extract(hdr.tcp);
        meta.has_flow = 1;
        meta.flow.source_port = hdr.tcp.source_port;
        meta.flow.target_port = hdr.tcp.target_port;
        transition select(hdr.tcp.header_words, hdr.tcp.flags) {
            (5, 0 &&& (TCP_SYN | TCP_RST | TCP_FIN)): accept;
            (_, TCP_SYN &&& (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)): tcp_opening;
            (_, TCP_RST &&& TCP_RST): tcp_reset;
            (_, TCP_FIN &&& TCP_FIN): tcp_closing;
            default: tcp_length;
        }
    }

    state tcp_opening {
        meta.is_opening = 1;
        transition tcp_length;
    }

    state tcp_reset {
        meta.is_reset = 1;
        transition tcp_closing;
    }

    state tcp_closing {
        meta.is_closing = 1;
        transition tcp_length;
    }

    state tcp_length {
        transition select(hdr.tcp.header_words, meta.is_fragment) {
            (5, _): accept;
            (0 &&& 0xc, _): malformed;
            (4, _): malformed;
            // The header may go on in the next fragment.
            (_, 1): accept;
            (8, 0): tcp_timestamps;
            default: tcp_options;
        }
    }

    // NOP, NOP, timestamps: most packets of most connections, and no room for anything else.
    state tcp_timestamps {
        transition select(packet.lookahead<bit<32>>()) {
            0x0101080a: accept;
            default: tcp_options;
        }
    }

    state tcp_options {
        meta.option_words = (bit<8>)(hdr.tcp.header_words - 5);
        meta.option_skip = 0;
        transition tcp_option_word;
    }

#include "tcp_options.p4"

    state parse_udp {
        packet.extract(hdr.udp);
        meta.has_flow = 1;
        meta.is_opening = 1;
        meta.flow.source_port = hdr.udp.source_port;
        meta.flow.target_port = hdr.udp.target_port;
        transition select(meta.is_fragment, hdr.udp.length) {
            (0, 0 .. 16): accept;
            (0, _): quic;
            default: accept;
        }
    }

    state quic {
        transition select(packet.lookahead<bit<8>>()) {
            0 &&& 0x80: quic_short;
            default: quic_long;
        }
    }

    state quic_short {
        packet.extract(hdr.quic);
        transition accept;
    }

    // The client has chosen the connection id; there is no server's name in it.
    state quic_long {
        meta.is_quic_long = 1;
        transition accept;
    }

    state parse_icmp {
        packet.extract(hdr.icmp);
        transition select(hdr.icmp.message_type) {
            ICMP_UNREACHABLE:       icmp_error;
            ICMP_TIME_EXCEEDED:     icmp_error;
            ICMP_PARAMETER_PROBLEM: icmp_error;
            default: accept;
        }
    }

    state icmp_error {
        meta.is_icmp_error = 1;
        // An IP header and 8 octets, or nobody knows what it is about.
        transition select(hdr.ipv4.total_length) {
            0 .. 55: accept;
            default: parse_quoted_ipv4;
        }
    }

    state parse_quoted_ipv4 {
        packet.extract(hdr.quoted_ipv4);
        transition select(hdr.quoted_ipv4.version, hdr.quoted_ipv4.header_words, hdr.quoted_ipv4.fragment_offset,
                          hdr.quoted_ipv4.protocol) {
            (4, 5, 0, PROTOCOL_TCP): flow_of_quoted_ipv4;
            (4, 5, 0, PROTOCOL_UDP): flow_of_quoted_ipv4;
            default: accept;
        }
    }

    state flow_of_quoted_ipv4 {
        meta.flow.source_address = hdr.quoted_ipv4.target_address;
        meta.flow.target_address = hdr.quoted_ipv4.source_address;
        meta.flow.protocol = hdr.quoted_ipv4.protocol;
        transition parse_quoted_l4;
    }

    state parse_quoted_l4 {
        packet.extract(hdr.quoted_l4);
        meta.has_flow = 1;
        meta.flow.source_port = hdr.quoted_l4.target_port;
        meta.flow.target_port = hdr.quoted_l4.source_port;
        transition accept;
    }

    state parse_icmpv6 {
        packet.extract(hdr.icmp);
        transition select(hdr.icmp.message_type, hdr.ipv6.payload_length) {
            (NDP_SOLICITATION, 0 .. 23):  malformed;
            (NDP_ADVERTISEMENT, 0 .. 23): malformed;
            (NDP_SOLICITATION, _):  parse_ndp;
            (NDP_ADVERTISEMENT, _): parse_ndp;
            (ICMPV6_UNREACHABLE, _):       icmpv6_error;
            (ICMPV6_TOO_BIG, _):           icmpv6_error;
            (ICMPV6_TIME_EXCEEDED, _):     icmpv6_error;
            (ICMPV6_PARAMETER_PROBLEM, _): icmpv6_error;
            default: accept;
        }
    }

    state icmpv6_error {
        meta.is_icmp_error = 1;
        transition select(hdr.ipv6.payload_length) {
            0 .. 55: accept;
            default: parse_quoted_ipv6;
        }
    }

    state parse_quoted_ipv6 {
        packet.extract(hdr.quoted_ipv6);
        transition select(hdr.quoted_ipv6.version, hdr.quoted_ipv6.next_header) {
            (6, PROTOCOL_TCP): flow_of_quoted_ipv6;
            (6, PROTOCOL_UDP): flow_of_quoted_ipv6;
            default: accept;
        }
    }

    state flow_of_quoted_ipv6 {
        meta.flow_ipv6.source_address = hdr.quoted_ipv6.target_address;
        meta.flow_ipv6.target_address = hdr.quoted_ipv6.source_address;
        meta.flow.protocol = hdr.quoted_ipv6.next_header;
        transition parse_quoted_l4;
    }

    state parse_ndp {
        packet.extract(hdr.ndp);
        transition select(hdr.ipv6.payload_length) {
            0 .. 31: accept;
            default: parse_ndp_option;
        }
    }

    state parse_ndp_option {
        packet.extract(hdr.ndp_option);
        transition accept;
    }
}
