// SPDX-License-Identifier: Apache-2.0
// A program that talks with its controller: packet-in and packet-out with controller headers on port 510, digests of
// several shapes, and messages to the log.

#include "shell.p4"

const bit<9> CPU_PORT = 510;

@controller_header("packet_in")
header packet_in_t {
    bit<9>  ingress_port;
    bit<4>  reason;
    bit<33> odd;
    bit<2>  pad;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9>  egress_port;
    bit<1>  again;
    bit<16> mark;
    bit<6>  pad;
}

header learn_t {
    bit<48> address;
    bit<13> odd;
    bit<3>  small;
    bit<65> wide;
    bit<7>  rest;
}

struct headers_t {
    packet_in_t  to_controller;
    packet_out_t from_controller;
    frame_t      frame;
    learn_t      learn;
}

struct metadata_t {
    bit<4>  reason;
    bit<1>  learns;
}

struct seen_t {
    bit<48> address;
    bit<9>  port;
    bit<13> odd;
}

struct wide_t {
    bit<65> wide;
    bit<1>  bottom;
    bit<32> constant;
}

parser TalkParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        transition select(standard.ingress_port) {
            CPU_PORT: parse_from_controller;
            default: parse_frame;
        }
    }
    state parse_from_controller {
        packet.extract(hdr.from_controller);
        transition parse_frame;
    }
    state parse_frame {
        packet.extract(hdr.frame);
        packet.extract(hdr.learn);
        transition accept;
    }
}

NO_CHECKSUMS

control Talk(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    // Each digest has one place: of several simple_switch_grpc configures only one.
    action learn() { meta.learns = 1; }
    action learn_wide(bit<32> constant) {
        digest<wide_t>(2, { hdr.learn.wide, hdr.learn.rest[0:0], constant });
        hdr.learn.wide = 0;
    }
    action tell(bit<4> reason) {
        meta.reason = reason;
        standard.egress_spec = CPU_PORT;
    }
    action say(bit<16> number) {
        log_msg("number {} of {} with {{}}", { number, hdr.frame.kind, hdr.learn.wide });
        hdr.learn.small = hdr.learn.small + 1;
    }
    action drop() { mark_to_drop(standard); }
    action learn_and_drop() {
        learn();
        drop();
    }
    table talk {
        key = { hdr.frame.kind : ternary @name("kind"); hdr.learn.small : range @name("small"); }
        actions = { learn; learn_wide; tell; say; drop; learn_and_drop; NoAction; }
        default_action = tell(1);
        size = 64;
    }
    apply {
        FORWARD(hdr.frame)
        if (hdr.from_controller.isValid()) {
            if (hdr.from_controller.again == 1) {
                hdr.frame.port = hdr.from_controller.mark[7:0];
            }
            standard.egress_spec = hdr.from_controller.egress_port;
            hdr.from_controller.setInvalid();
            return;
        }
        if (hdr.learn.isValid()) {
            talk.apply();
            if (meta.learns == 1) {
                digest<seen_t>(1, { hdr.learn.address, standard.ingress_port, hdr.learn.odd });
                // The digest has what was there when it was asked for.
                hdr.learn.odd = 0;
            }
        }
    }
}

control Address(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (standard.egress_port == CPU_PORT) {
            hdr.to_controller.setValid();
            hdr.to_controller.ingress_port = standard.ingress_port;
            hdr.to_controller.reason = meta.reason;
            hdr.to_controller.odd = standard.packet_length ++ 1w1;
        }
    }
}

control TalkDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(TalkParser(), NoVerify(), Talk(), Address(), NoUpdate(), TalkDeparser()) main;
