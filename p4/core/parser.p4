// SPDX-License-Identifier: Apache-2.0
// ethernet -> arp | ipv4 -> tcp | udp. A fragment or a packet with IP options keeps its ports unread: it has no flow,
// so it is routed, never balanced by bytes that are not ports.

parser SwitchPacketParser(packet_in packet, out headers_t hdr, inout metadata_t meta) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_ARP:  parse_arp;
            ETHERTYPE_IPV4: parse_ipv4;
            default:        accept;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        meta.arrived_ttl = hdr.ipv4.ttl;
        meta.flow.source_address = hdr.ipv4.source_address;
        meta.flow.target_address = hdr.ipv4.target_address;
        meta.flow.protocol = hdr.ipv4.protocol;
        transition select(hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.more_fragments,
                          hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (4, 5, 0, 0, PROTOCOL_TCP): parse_tcp;
            (4, 5, 0, 0, PROTOCOL_UDP): parse_udp;
            default: accept;
        }
    }

    state parse_tcp {
        packet.extract(hdr.tcp);
        meta.has_flow = 1;
        meta.flow.source_port = hdr.tcp.source_port;
        meta.flow.target_port = hdr.tcp.target_port;
        transition select(hdr.tcp.flags) {
            TCP_SYN &&& (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN): opening;
            TCP_RST &&& TCP_RST: reset;
            TCP_FIN &&& TCP_FIN: closing;
            default: accept;
        }
    }

    state parse_udp {
        packet.extract(hdr.udp);
        meta.has_flow = 1;
        meta.flow.source_port = hdr.udp.source_port;
        meta.flow.target_port = hdr.udp.target_port;
        transition opening;
    }

    state opening {
        meta.is_opening = 1;
        transition accept;
    }

    state reset {
        meta.is_reset = 1;
        transition closing;
    }

    state closing {
        meta.is_closing = 1;
        transition accept;
    }
}
