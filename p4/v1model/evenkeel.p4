// SPDX-License-Identifier: Apache-2.0
// The v1model shell: ports, drops, digests and checksums of BMv2 around the core.

#include <core.p4>
#include <v1model.p4>

#include "../core/types.p4"
#include "../core/headers.p4"
#include "../core/metadata.p4"
#include "services.p4"
#include "../core/core.p4"
#include "forwarded_checksum.p4"
#include "answer_checksum.p4"
#include "checksum.p4"

// simple_switch_grpc --cpu-port
const port_t CPU_PORT = 510;

parser SwitchParser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    SwitchPacketParser() packet_parser;

    state start {
        meta.ingress_port = standard_metadata.ingress_port;
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: parse_packet_out;
            default:  parse_packet;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_packet {
        packet_parser.apply(packet, hdr, meta);
        transition accept;
    }
}

control SwitchVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        // With options the header is longer than what was parsed; such a packet is only routed, and keeps its checksum's error.
        verify_checksum(hdr.ipv4.isValid() && hdr.ipv4.header_words == 5,
            { hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.traffic_class, hdr.ipv4.total_length,
              hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment, hdr.ipv4.more_fragments,
              hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.source_address,
              hdr.ipv4.target_address },
            hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    SwitchPipeline() pipeline;
    SwitchChecksum() checksum;

    apply {
        if (standard_metadata.checksum_error == 1) {
            meta.drop_reason = DROP_BAD_CHECKSUM;
        } else if (standard_metadata.parser_error != error.NoError) {
            meta.drop_reason = DROP_MALFORMED;
        }
        pipeline.apply(hdr, meta);

        if (meta.flow_digest != 0) {
            if (hdr.ipv4.isValid()) {
                digest<flow_digest_t>(1, {
                    meta.flow.source_address, meta.flow.target_address, meta.flow.protocol,
                    meta.flow.source_port, meta.flow.target_port,
                    meta.pool, meta.slot, meta.column, meta.backend, meta.flow_digest });
            } else {
                digest<flow_digest_ipv6_t>(1, {
                    meta.flow_ipv6.source_address, meta.flow_ipv6.target_address, meta.flow.protocol,
                    meta.flow.source_port, meta.flow.target_port,
                    meta.pool, meta.slot, meta.column, meta.backend, meta.flow_digest });
            }
        } else if (meta.neighbour_digest == 1) {
            if (hdr.arp.isValid()) {
                digest<neighbour_digest_t>(1, meta.neighbour);
            } else {
                digest<neighbour_digest_ipv6_t>(1, meta.neighbour_ipv6);
            }
        }

        if (meta.drop_reason == DROP_NONE) {
            checksum.apply(hdr, meta);
            standard_metadata.egress_spec = meta.egress_port;
        } else {
            mark_to_drop(standard_metadata);
        }
    }
}

control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    apply {}
}

control SwitchComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control SwitchDeparser(packet_out packet, in headers_t hdr) {
    SwitchPacketDeparser() packet_deparser;

    apply {
        packet_deparser.apply(packet, hdr);
    }
}

V1Switch(SwitchParser(), SwitchVerifyChecksum(), SwitchIngress(), SwitchEgress(), SwitchComputeChecksum(),
         SwitchDeparser()) main;
