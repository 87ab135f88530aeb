// SPDX-License-Identifier: Apache-2.0
//
//   target address ──> route (longest prefix) ──> port, MAC addresses; TTL - 1; header checksum
//
// The least that can be called a router: what a switch costs when the program costs nothing.

#include <core.p4>
#include <v1model.p4>

typedef bit<48> mac_address_t;
typedef bit<32> ipv4_address_t;

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const int ROUTE_ROWS = 131072;

header ethernet_t {
    mac_address_t target_mac;
    mac_address_t source_mac;
    bit<16>       ether_type;
}

header ipv4_t {
    bit<4>         version;
    bit<4>         header_length;
    bit<8>         traffic_class;
    bit<16>        total_length;
    bit<16>        identification;
    bit<3>         fragment_flags;
    bit<13>        fragment_offset;
    bit<8>         ttl;
    bit<8>         protocol;
    bit<16>        header_checksum;
    ipv4_address_t source_address;
    ipv4_address_t target_address;
}

struct headers_t {
    ethernet_t ethernet;
    ipv4_t     ipv4;
}

struct metadata_t {}

parser RouterParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            default: accept;
        }
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        transition accept;
    }
}

control RouterVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control RouterIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action no_route() {
        mark_to_drop(standard);
    }

    action via(bit<9> port, mac_address_t source_mac, mac_address_t target_mac) {
        standard.egress_spec = port;
        hdr.ethernet.source_mac = source_mac;
        hdr.ethernet.target_mac = target_mac;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
    }

    table route {
        key = {
            hdr.ipv4.target_address : lpm @name("prefix");
        }
        actions = { via; @defaultonly no_route; }
        const default_action = no_route();
        size = ROUTE_ROWS;
    }

    apply {
        if (hdr.ipv4.isValid() && hdr.ipv4.ttl > 1) {
            route.apply();
        } else {
            no_route();
        }
    }
}

control RouterEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}

control RouterComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(
            hdr.ipv4.isValid(),
            {
                hdr.ipv4.version,
                hdr.ipv4.header_length,
                hdr.ipv4.traffic_class,
                hdr.ipv4.total_length,
                hdr.ipv4.identification,
                hdr.ipv4.fragment_flags,
                hdr.ipv4.fragment_offset,
                hdr.ipv4.ttl,
                hdr.ipv4.protocol,
                hdr.ipv4.source_address,
                hdr.ipv4.target_address
            },
            hdr.ipv4.header_checksum,
            HashAlgorithm.csum16);
    }
}

control RouterDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.ipv4);
    }
}

V1Switch(
    RouterParser(),
    RouterVerifyChecksum(),
    RouterIngress(),
    RouterEgress(),
    RouterComputeChecksum(),
    RouterDeparser()) main;
