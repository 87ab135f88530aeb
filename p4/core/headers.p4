// SPDX-License-Identifier: Apache-2.0
// What is on the wire.

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP  = 0x0806;
const bit<16> ETHERTYPE_IPV6 = 0x86dd;

typedef bit<8> protocol_t;
const protocol_t PROTOCOL_HOP_BY_HOP          = 0;
const protocol_t PROTOCOL_ICMP                = 1;
const protocol_t PROTOCOL_IPV4                = 4;
const protocol_t PROTOCOL_TCP                 = 6;
const protocol_t PROTOCOL_UDP                 = 17;
const protocol_t PROTOCOL_IPV6                = 41;
const protocol_t PROTOCOL_ROUTING             = 43;
const protocol_t PROTOCOL_FRAGMENT            = 44;
const protocol_t PROTOCOL_GRE                 = 47;
const protocol_t PROTOCOL_AUTHENTICATION      = 51;
const protocol_t PROTOCOL_ICMPV6              = 58;
const protocol_t PROTOCOL_DESTINATION_OPTIONS = 60;

const bit<16> ARP_REQUEST    = 1;
const bit<16> ARP_REPLY      = 2;
const bit<8>  TCP_FIN = 0x01;
const bit<8>  TCP_SYN = 0x02;
const bit<8>  TCP_RST = 0x04;
const bit<8>  TCP_ACK = 0x10;
// Katran: the four octets name the server.
const bit<8>  TCP_OPTION_SERVER = 0xb7;

typedef bit<8> icmp_type_t;
const icmp_type_t ICMP_ECHO_REPLY        = 0;
const icmp_type_t ICMP_UNREACHABLE       = 3;
const icmp_type_t ICMP_ECHO_REQUEST      = 8;
const icmp_type_t ICMP_TIME_EXCEEDED     = 11;
const icmp_type_t ICMP_PARAMETER_PROBLEM = 12;
const bit<8> ICMP_HOST_UNREACHABLE     = 1;
const bit<8> ICMP_PORT_UNREACHABLE     = 3;
const bit<8> ICMP_FRAGMENTATION_NEEDED = 4;

const icmp_type_t ICMPV6_UNREACHABLE       = 1;
const icmp_type_t ICMPV6_TOO_BIG           = 2;
const icmp_type_t ICMPV6_TIME_EXCEEDED     = 3;
const icmp_type_t ICMPV6_PARAMETER_PROBLEM = 4;
const icmp_type_t ICMPV6_ECHO_REQUEST      = 128;
const icmp_type_t ICMPV6_ECHO_REPLY        = 129;
const icmp_type_t NDP_SOLICITATION         = 135;
const icmp_type_t NDP_ADVERTISEMENT        = 136;
const bit<8> ICMPV6_ADDRESS_UNREACHABLE = 3;
const bit<8> ICMPV6_PORT_UNREACHABLE    = 4;

const bit<8> NDP_SOURCE_MAC = 1;
const bit<8> NDP_TARGET_MAC = 2;

// Lengths of headers without options, in octets.
const bit<32> ETHERNET_OCTETS = 14;
const packet_length_t IPV4_OCTETS = 20;
const packet_length_t IPV4_OCTETS_MAX = 60; // with options
const packet_length_t IPV6_OCTETS = 40;
const packet_length_t TCP_OCTETS  = 20;
const packet_length_t UDP_OCTETS  = 8;
const packet_length_t ICMP_OCTETS = 8;
const packet_length_t GRE_OCTETS  = 4;
const packet_length_t GUE_OCTETS  = 4;

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
    packet_length_t total_length;
    bit<16>        identification;
    bit<1>         reserved;
    bit<1>         dont_fragment;
    bit<1>         more_fragments;
    bit<13>        fragment_offset;
    bit<8>         ttl;
    protocol_t     protocol;
    bit<16>        checksum;
    ipv4_address_t source_address;
    ipv4_address_t target_address;
}

header ipv6_h {
    bit<4>         version;
    bit<8>         traffic_class;
    bit<20>        flow_label;
    packet_length_t payload_length;
    protocol_t     next_header;
    bit<8>         hop_limit;
    ipv6_address_t source_address;
    ipv6_address_t target_address;
}

header ipv6_fragment_h {
    protocol_t next_header;
    bit<8>     reserved;
    bit<13>    fragment_offset;
    bit<2>     reserved_too;
    bit<1>     more_fragments;
    bit<32>    identification;
}

// ICMP and ICMPv6. `rest`: identifier and sequence of an echo, next-hop MTU of "too big", flags of an advertisement.
header icmp_h {
    icmp_type_t message_type;
    bit<8>      code;
    bit<16>     checksum;
    bit<32>     rest;
}

header ndp_h {
    ipv6_address_t target_address;
}

header ndp_option_h {
    bit<8>        option_type;
    bit<8>        length;
    mac_address_t mac;
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

// Four octets of a TCP header's options, however they are aligned.
header tcp_option_word_h {
    bit<8> octet0;
    bit<8> octet1;
    bit<8> octet2;
    bit<8> octet3;
}

header udp_h {
    l4_port_t source_port;
    l4_port_t target_port;
    bit<16>   length;
    bit<16>   checksum;
}

// The start of a QUIC packet with a short header, as far as it may tell the server.
header quic_h {
    bit<8> flags;
    hint_t connection_id;
}

// The first octets behind an IP header, of whatever protocol.
header l4_start_h {
    bit<32> first;
    bit<32> second;
}

// The same in a quotation of TCP or UDP. TCP: third and fourth are the sequence number; UDP: length and checksum.
header quoted_l4_h {
    l4_port_t source_port;
    l4_port_t target_port;
    bit<16>   third;
    bit<16>   fourth;
}

header gre_h {
    bit<16> flags;
    bit<16> ether_type;
}

// draft-ietf-intarea-gue, variant 0, no extensions.
header gue_h {
    bit<2>     variant;
    bit<1>     is_control;
    bit<5>     extension_words;
    protocol_t protocol;
    bit<16>    flags;
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
    // Put in front of what arrived: a tunnel, or an ICMP error that quotes it.
    ipv4_h       outer_ipv4;
    ipv6_h       outer_ipv6;
    udp_h        outer_udp;
    gue_h        gue;
    gre_h        gre;
    icmp_h       outer_icmp;
    ipv4_h       ipv4;
    ipv6_h       ipv6;
    ipv6_fragment_h ipv6_fragment;
    icmp_h       icmp;
    ndp_h        ndp;
    ndp_option_h ndp_option;
    // What an ICMP error that arrived is about.
    ipv4_h       quoted_ipv4;
    ipv6_h       quoted_ipv6;
    quoted_l4_h  quoted_l4;
    tcp_h        tcp;
    tcp_option_word_h[10] tcp_options;
    udp_h        udp;
    quic_h       quic;
    l4_start_h   l4_start;
}
