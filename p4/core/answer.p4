// SPDX-License-Identifier: Apache-2.0
// What the switch says itself, back out of the port that the packet came in by.
//
//   neighbour      ARP reply, neighbour advertisement           in place of the question
//   echo           echo reply                                   in place of the request
//   reset          TCP, RFC 9293 3.10.7.1                       in place of the segment
//   ICMP error     IP ─ ICMP ─ the packet's IP header ─ its next 8 octets; the rest is cut off
//                  from the vip, or from the interface's address (table interface)
//
// None about ICMP errors, later fragments, IP options (their length is not ours to quote), frames to a group.
// The meter has been asked before. What cannot be answered stays dropped.

const bit<8>  ANSWER_TTL = 64;
const packet_length_t QUOTED_OCTETS = 8;
const packet_length_t ADVERTISEMENT_OCTETS = 32;
const ipv6_address_t ALL_NODES = 0xff020000000000000000000000000001;
const mac_address_t ALL_NODES_MAC = 0x333300000001;

control SwitchAnswer(inout headers_t hdr, inout metadata_t meta) {
    SwitchTruncate() truncate_frame;

    ipv4_address_t ipv4_source = 0;
    ipv6_address_t ipv6_source = 0;
    bit<32> frame_octets = 0;

    action answers_as(ipv4_address_t ipv4_address, ipv6_address_t ipv6_address) {
        ipv4_source = ipv4_address;
        ipv6_source = ipv6_address;
    }

    action silent() {}

    table interface {
        key = {
            meta.ingress_port : exact @name("port");
        }
        actions = { answers_as; @defaultonly silent; }
        const default_action = silent();
        size = INTERFACE_ROWS;
    }

    @hidden action answer_back() {
        mac_address_t mac = hdr.ethernet.target_mac;
        hdr.ethernet.target_mac = hdr.ethernet.source_mac;
        hdr.ethernet.source_mac = mac;
        meta.egress_port = meta.ingress_port;
        meta.drop_reason = DROP_NONE;
    }

    @hidden action answer_arp() {
        ipv4_address_t asked = hdr.arp.target_address;
        hdr.arp.operation = ARP_REPLY;
        hdr.arp.target_mac = hdr.arp.sender_mac;
        hdr.arp.target_address = hdr.arp.sender_address;
        hdr.arp.sender_mac = meta.own_mac;
        hdr.arp.sender_address = asked;
        hdr.ethernet.source_mac = meta.own_mac;
    }

    @hidden action answer_ndp() {
        hdr.ethernet.source_mac = meta.own_mac;
        hdr.ipv6.payload_length = ADVERTISEMENT_OCTETS;
        hdr.ipv6.target_address = hdr.ipv6.source_address;
        hdr.ipv6.source_address = hdr.ndp.target_address;
        hdr.icmp.message_type = NDP_ADVERTISEMENT;
        // From a router, solicited, replaces what was known.
        hdr.icmp.rest = 0xe0000000;
        hdr.ndp_option.setValid();
        hdr.ndp_option.option_type = NDP_TARGET_MAC;
        hdr.ndp_option.length = 1;
        hdr.ndp_option.mac = meta.own_mac;
        frame_octets = ETHERNET_OCTETS + (bit<32>)(IPV6_OCTETS + ADVERTISEMENT_OCTETS);
    }

    // Who has no address yet cannot be told alone.
    @hidden action answer_ndp_to_all() {
        hdr.ethernet.target_mac = ALL_NODES_MAC;
        hdr.ipv6.target_address = ALL_NODES;
        hdr.icmp.rest = 0xa0000000;
    }

    @hidden action swap_ipv4() {
        ipv4_address_t address = hdr.ipv4.target_address;
        hdr.ipv4.target_address = hdr.ipv4.source_address;
        hdr.ipv4.source_address = address;
        hdr.ipv4.ttl = ANSWER_TTL;
    }

    @hidden action swap_ipv6() {
        ipv6_address_t address = hdr.ipv6.target_address;
        hdr.ipv6.target_address = hdr.ipv6.source_address;
        hdr.ipv6.source_address = address;
        hdr.ipv6.hop_limit = ANSWER_TTL;
    }

    @hidden action reset(bit<32> segment_length) {
        l4_port_t port = hdr.tcp.target_port;
        hdr.tcp.target_port = hdr.tcp.source_port;
        hdr.tcp.source_port = port;
        // An acknowledgement says which sequence number it expects; other segments are acknowledged.
        if (hdr.tcp.flags & TCP_ACK != 0) {
            hdr.tcp.sequence = hdr.tcp.acknowledgement;
            hdr.tcp.acknowledgement = 0;
            hdr.tcp.flags = TCP_RST;
        } else {
            hdr.tcp.acknowledgement = hdr.tcp.sequence + segment_length
                + (bit<32>)hdr.tcp.flags[0:0] + (bit<32>)hdr.tcp.flags[1:1];
            hdr.tcp.sequence = 0;
            hdr.tcp.flags = TCP_RST | TCP_ACK;
        }
        hdr.tcp.header_words = 5;
        hdr.tcp.reserved = 0;
        hdr.tcp.window = 0;
        hdr.tcp.urgent = 0;
        hdr.tcp_options.pop_front(10);
    }

    // What stands behind the IP header, as octets of no meaning.
    @hidden action quote_tcp() {
        hdr.l4_start.setValid();
        hdr.l4_start.first = hdr.tcp.source_port ++ hdr.tcp.target_port;
        hdr.l4_start.second = hdr.tcp.sequence;
        hdr.tcp.setInvalid();
        hdr.tcp_options.pop_front(10);
    }

    @hidden action quote_udp() {
        hdr.l4_start.setValid();
        hdr.l4_start.first = hdr.udp.source_port ++ hdr.udp.target_port;
        hdr.l4_start.second = hdr.udp.length ++ hdr.udp.checksum;
        hdr.udp.setInvalid();
        hdr.quic.setInvalid();
    }

    @hidden action quote_icmp() {
        hdr.l4_start.setValid();
        hdr.l4_start.first = hdr.icmp.message_type ++ hdr.icmp.code ++ hdr.icmp.checksum;
        hdr.l4_start.second = hdr.icmp.rest;
        hdr.icmp.setInvalid();
    }

    @hidden action quote_ipv6_fragment() {
        hdr.l4_start.setValid();
        hdr.l4_start.first = hdr.ipv6_fragment.next_header ++ hdr.ipv6_fragment.reserved
            ++ hdr.ipv6_fragment.fragment_offset ++ hdr.ipv6_fragment.reserved_too ++ hdr.ipv6_fragment.more_fragments;
        hdr.l4_start.second = hdr.ipv6_fragment.identification;
        hdr.ipv6_fragment.setInvalid();
        // It is all that is quoted.
        hdr.tcp.setInvalid();
        hdr.tcp_options.pop_front(10);
        hdr.udp.setInvalid();
        hdr.quic.setInvalid();
        hdr.icmp.setInvalid();
    }

    @hidden action icmp_error(icmp_type_t message_type, bit<8> code) {
        hdr.outer_icmp.setValid();
        hdr.outer_icmp.message_type = message_type;
        hdr.outer_icmp.code = code;
        hdr.outer_icmp.checksum = 0;
        hdr.outer_icmp.rest = 0;
    }

    @hidden action icmp_over_ipv4(packet_length_t octets) {
        hdr.outer_ipv4.setValid();
        hdr.outer_ipv4.version = 4;
        hdr.outer_ipv4.header_words = 5;
        hdr.outer_ipv4.traffic_class = 0;
        hdr.outer_ipv4.total_length = octets;
        hdr.outer_ipv4.identification = 0;
        hdr.outer_ipv4.reserved = 0;
        hdr.outer_ipv4.dont_fragment = 1;
        hdr.outer_ipv4.more_fragments = 0;
        hdr.outer_ipv4.fragment_offset = 0;
        hdr.outer_ipv4.ttl = ANSWER_TTL;
        hdr.outer_ipv4.protocol = PROTOCOL_ICMP;
        hdr.outer_ipv4.checksum = 0;
        hdr.outer_ipv4.source_address = ipv4_source;
        hdr.outer_ipv4.target_address = hdr.ipv4.source_address;
        frame_octets = ETHERNET_OCTETS + (bit<32>)octets;
    }

    @hidden action icmp_over_ipv6(packet_length_t octets) {
        hdr.outer_ipv6.setValid();
        hdr.outer_ipv6.version = 6;
        hdr.outer_ipv6.traffic_class = 0;
        hdr.outer_ipv6.flow_label = 0;
        hdr.outer_ipv6.payload_length = octets;
        hdr.outer_ipv6.next_header = PROTOCOL_ICMPV6;
        hdr.outer_ipv6.hop_limit = ANSWER_TTL;
        hdr.outer_ipv6.source_address = ipv6_source;
        hdr.outer_ipv6.target_address = hdr.ipv6.source_address;
        frame_octets = ETHERNET_OCTETS + (bit<32>)(IPV6_OCTETS + octets);
    }

    apply {
        if (meta.answer == ANSWER_NEIGHBOUR) {
            bool is_unspecified = hdr.ipv6.isValid() && hdr.ipv6.source_address == 0;
            answer_back();
            if (hdr.arp.isValid()) {
                answer_arp();
            } else {
                answer_ndp();
                if (is_unspecified) {
                    answer_ndp_to_all();
                }
            }
        } else if (meta.answer == ANSWER_ECHO) {
            answer_back();
            if (hdr.ipv4.isValid()) {
                swap_ipv4();
                hdr.icmp.message_type = ICMP_ECHO_REPLY;
            } else {
                swap_ipv6();
                hdr.icmp.message_type = ICMPV6_ECHO_REPLY;
            }
        } else if (meta.answer == ANSWER_RESET) {
            if (meta.is_reset == 0 && meta.is_fragment == 0) {
                bit<32> header_octets = (bit<32>)(hdr.tcp.header_words ++ 2w0);
                answer_back();
                if (hdr.ipv4.isValid()) {
                    swap_ipv4();
                    reset((bit<32>)(hdr.ipv4.total_length - IPV4_OCTETS) - header_octets);
                    hdr.ipv4.traffic_class = 0;
                    hdr.ipv4.total_length = IPV4_OCTETS + TCP_OCTETS;
                    hdr.ipv4.identification = 0;
                    hdr.ipv4.dont_fragment = 1;
                    frame_octets = ETHERNET_OCTETS + (bit<32>)(IPV4_OCTETS + TCP_OCTETS);
                } else {
                    swap_ipv6();
                    reset((bit<32>)hdr.ipv6.payload_length - header_octets);
                    hdr.ipv6.traffic_class = 0;
                    hdr.ipv6.payload_length = TCP_OCTETS;
                    frame_octets = ETHERNET_OCTETS + (bit<32>)(IPV6_OCTETS + TCP_OCTETS);
                }
            }
        } else if (meta.is_icmp_error == 0 && meta.has_options == 0 && (meta.is_fragment == 0 || meta.has_flow == 1)
                   && hdr.ethernet.target_mac[40:40] == 0) {
            if (meta.is_ours == 1 && meta.answer != ANSWER_TIME_EXCEEDED) {
                ipv4_source = hdr.ipv4.target_address;
                ipv6_source = hdr.ipv6.target_address;
            } else {
                interface.apply();
            }
            if (hdr.ipv4.isValid() && ipv4_source != 0) {
                answer_back();
                if (meta.answer == ANSWER_TIME_EXCEEDED) {
                    icmp_error(ICMP_TIME_EXCEEDED, 0);
                } else if (meta.answer == ANSWER_TOO_BIG) {
                    icmp_error(ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED);
                    hdr.outer_icmp.rest = (bit<32>)meta.mtu;
                } else if (meta.answer == ANSWER_PORT_UNREACHABLE) {
                    icmp_error(ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
                } else {
                    icmp_error(ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
                }
            } else if (hdr.ipv6.isValid() && ipv6_source != 0) {
                answer_back();
                if (meta.answer == ANSWER_TIME_EXCEEDED) {
                    icmp_error(ICMPV6_TIME_EXCEEDED, 0);
                } else if (meta.answer == ANSWER_TOO_BIG) {
                    icmp_error(ICMPV6_TOO_BIG, 0);
                    hdr.outer_icmp.rest = (bit<32>)meta.mtu;
                } else if (meta.answer == ANSWER_PORT_UNREACHABLE) {
                    icmp_error(ICMPV6_UNREACHABLE, ICMPV6_PORT_UNREACHABLE);
                } else {
                    icmp_error(ICMPV6_UNREACHABLE, ICMPV6_ADDRESS_UNREACHABLE);
                }
            }
            if (hdr.outer_icmp.isValid()) {
                if (hdr.ipv6_fragment.isValid()) {
                    quote_ipv6_fragment();
                } else if (hdr.tcp.isValid()) {
                    quote_tcp();
                } else if (hdr.udp.isValid()) {
                    quote_udp();
                } else if (hdr.icmp.isValid()) {
                    quote_icmp();
                }
                packet_length_t octets = ICMP_OCTETS;
                if (hdr.l4_start.isValid()) {
                    octets = octets + QUOTED_OCTETS;
                }
                if (hdr.ipv4.isValid()) {
                    icmp_over_ipv4(octets + IPV4_OCTETS + IPV4_OCTETS);
                } else {
                    icmp_over_ipv6(octets + IPV6_OCTETS);
                }
            }
        }
        if (meta.drop_reason != DROP_NONE) {
            meta.answer = ANSWER_NONE;
        } else if (frame_octets != 0) {
            truncate_frame.apply(frame_octets);
        }
    }
}
