// SPDX-License-Identifier: Apache-2.0
// What is on the wire.

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP  = 0x0806;
const bit<8>  PROTOCOL_TCP   = 6;
const bit<8>  PROTOCOL_UDP   = 17;
const bit<16> ARP_REQUEST    = 1;
const bit<16> ARP_REPLY      = 2;
const bit<8>  TCP_FIN = 0x01;
const bit<8>  TCP_SYN = 0x02;
const bit<8>  TCP_RST = 0x04;
const bit<8>  TCP_ACK = 0x10;

header ethernet_h {
    mac_address_t target_mac;
    mac_address_t source_mac;
    bit<16>       ether_type;
}

header arp_h {
    bit<16>        hardware_type;
    bit<16>        protocol_type;
    bit<8>         hardware_length;
    bit<8>         protocol_length;
    bit<16>        operation;
    mac_address_t  sender_mac;
    ipv4_address_t sender_address;
    mac_address_t  target_mac;
    ipv4_address_t target_address;
}

header ipv4_h {
    bit<4>         version;
    bit<4>         header_words;
    bit<8>         traffic_class;
    bit<16>        total_length;
    bit<16>        identification;
    bit<1>         reserved;
    bit<1>         dont_fragment;
    bit<1>         more_fragments;
    bit<13>        fragment_offset;
    bit<8>         ttl;
    bit<8>         protocol;
    bit<16>        checksum;
    ipv4_address_t source_address;
    ipv4_address_t target_address;
}

header tcp_h {
    l4_port_t source_port;
    l4_port_t target_port;
    bit<32>   sequence;
    bit<32>   acknowledgement;
    bit<4>    header_words;
    bit<4>    reserved;
    bit<8>    flags;
    bit<16>   window;
    bit<16>   checksum;
    bit<16>   urgent;
}

header udp_h {
    l4_port_t source_port;
    l4_port_t target_port;
    bit<16>   length;
    bit<16>   checksum;
}

// From the controller: send this frame out of this port.
@controller_header("packet_out")
header packet_out_h {
    port_t egress_port;
    bit<7> padding;
}

struct headers_t {
    packet_out_h packet_out;
    ethernet_h   ethernet;
    arp_h        arp;
    ipv4_h       ipv4;
    tcp_h        tcp;
    udp_h        udp;
}
