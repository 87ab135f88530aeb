// SPDX-License-Identifier: Apache-2.0
// The TNA shell: ports, drops, digests and checksums of Tofino around the core. p4c's front end checks its types; nobody here
// has fitted it to the chip (p4/README.md says what that would take).

#include <core.p4>
#include <tna.p4>

#include "../core/types.p4"
#include "../core/headers.p4"
#include "../core/metadata.p4"
#include "services.p4"
#include "../core/core.p4"
#include "checksum.p4"

// The port to the switch's own processor, on PCIe.
const PortId_t CPU_PORT = 192;

const DigestType_t FLOW_DIGEST           = 1;
const DigestType_t FLOW_DIGEST_IPV6      = 2;
const DigestType_t NEIGHBOUR_DIGEST      = 3;
const DigestType_t NEIGHBOUR_DIGEST_IPV6 = 4;

parser SwitchIngressParser(packet_in packet, out headers_t hdr, out switch_metadata_t meta,
                           out ingress_intrinsic_metadata_t intrinsic) {
    SwitchPacketParser() packet_parser;
    Checksum() ipv4_sum;

    state start {
        meta = ...;
        packet.extract(intrinsic);
        packet.advance(PORT_METADATA_SIZE);
        meta.core.ingress_port = intrinsic.ingress_port;
        transition select(intrinsic.ingress_port) {
            CPU_PORT: parse_packet_out;
            default:  parse_packet;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_packet {
        packet_parser.apply(packet, hdr, meta.core);
        transition select(hdr.ipv4.isValid(), hdr.ipv4.header_words) {
            (true, 5): verify_ipv4;
            default: accept;
        }
    }

    state verify_ipv4 {
        ipv4_sum.add(hdr.ipv4);
        transition select(ipv4_sum.verify()) {
            false: bad_checksum;
            default: accept;
        }
    }

    state bad_checksum {
        meta.core.drop_reason = DROP_BAD_CHECKSUM;
        transition accept;
    }
}

control SwitchIngress(inout headers_t hdr, inout switch_metadata_t meta,
                      in ingress_intrinsic_metadata_t intrinsic,
                      in ingress_intrinsic_metadata_from_parser_t from_parser,
                      inout ingress_intrinsic_metadata_for_deparser_t for_deparser,
                      inout ingress_intrinsic_metadata_for_tm_t for_tm) {
    SwitchComplements() complements;
    SwitchPipeline() pipeline;
    SwitchChecksum() checksum;

    apply {
        if (from_parser.parser_err != PARSER_ERROR_OK && meta.core.drop_reason == DROP_NONE) {
            meta.core.drop_reason = DROP_MALFORMED;
        }
        complements.apply(hdr, meta);
        pipeline.apply(hdr, meta.core);
        checksum.apply(hdr, meta);

        if (meta.core.flow_digest != 0) {
            for_deparser.digest_type = FLOW_DIGEST;
            if (hdr.ipv6.isValid()) {
                for_deparser.digest_type = FLOW_DIGEST_IPV6;
            }
        } else if (meta.core.neighbour_digest == 1) {
            for_deparser.digest_type = NEIGHBOUR_DIGEST;
            if (hdr.ipv6.isValid()) {
                for_deparser.digest_type = NEIGHBOUR_DIGEST_IPV6;
            }
        }

        // The packet is done: there is nothing in egress.
        for_tm.bypass_egress = 1;
        if (meta.core.drop_reason == DROP_NONE) {
            for_tm.ucast_egress_port = meta.core.egress_port;
        } else {
            for_deparser.drop_ctl = 1;
        }
    }
}

control SwitchIngressDeparser(packet_out packet, inout headers_t hdr, in switch_metadata_t meta,
                              in ingress_intrinsic_metadata_for_deparser_t for_deparser) {
    Digest<flow_digest_t>(FLOW_DIGEST) flow_digest;
    Digest<flow_digest_ipv6_t>(FLOW_DIGEST_IPV6) flow_digest_ipv6;
    Digest<neighbour_digest_t>(NEIGHBOUR_DIGEST) neighbour_digest;
    Digest<neighbour_digest_ipv6_t>(NEIGHBOUR_DIGEST_IPV6) neighbour_digest_ipv6;
    SwitchChecksumDeparser() checksum;
    SwitchPacketDeparser() packet_deparser;

    apply {
        if (for_deparser.digest_type == FLOW_DIGEST) {
            flow_digest.pack({
                meta.core.flow.source_address, meta.core.flow.target_address, meta.core.flow.protocol,
                meta.core.flow.source_port, meta.core.flow.target_port,
                meta.core.pool, meta.core.slot, meta.core.column, meta.core.backend, meta.core.flow_digest });
        } else if (for_deparser.digest_type == FLOW_DIGEST_IPV6) {
            flow_digest_ipv6.pack({
                meta.core.flow_ipv6.source_address, meta.core.flow_ipv6.target_address, meta.core.flow.protocol,
                meta.core.flow.source_port, meta.core.flow.target_port,
                meta.core.pool, meta.core.slot, meta.core.column, meta.core.backend, meta.core.flow_digest });
        } else if (for_deparser.digest_type == NEIGHBOUR_DIGEST) {
            neighbour_digest.pack(meta.core.neighbour);
        } else if (for_deparser.digest_type == NEIGHBOUR_DIGEST_IPV6) {
            neighbour_digest_ipv6.pack(meta.core.neighbour_ipv6);
        }
        checksum.apply(hdr, meta);
        packet_deparser.apply(packet, hdr);
    }
}

struct egress_headers_t {}
struct egress_metadata_t {}

parser SwitchEgressParser(packet_in packet, out egress_headers_t hdr, out egress_metadata_t meta,
                          out egress_intrinsic_metadata_t intrinsic) {
    state start {
        packet.extract(intrinsic);
        transition accept;
    }
}

control SwitchEgress(inout egress_headers_t hdr, inout egress_metadata_t meta,
                     in egress_intrinsic_metadata_t intrinsic,
                     in egress_intrinsic_metadata_from_parser_t from_parser,
                     inout egress_intrinsic_metadata_for_deparser_t for_deparser,
                     inout egress_intrinsic_metadata_for_output_port_t for_port) {
    apply {}
}

control SwitchEgressDeparser(packet_out packet, inout egress_headers_t hdr, in egress_metadata_t meta) {
    apply {}
}

Pipeline(SwitchIngressParser(), SwitchIngress(), SwitchIngressDeparser(),
         SwitchEgressParser(), SwitchEgress(), SwitchEgressDeparser()) pipe;

Switch(pipe) main;
