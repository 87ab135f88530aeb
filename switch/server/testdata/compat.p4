// SPDX-License-Identifier: Apache-2.0
// What features.p4 has no place for: constructs on which simple_switch_grpc and the specification differ. Compile with:
//   p4c-bm2-ss --std p4-16 -o compat.json --p4runtime-files compat.p4info.txtpb compat.p4

#include <core.p4>
#include <v1model.p4>

header frame_t {
    bit<48> target;
    bit<48> source;
    bit<16> kind;
}

header label_t {
    bit<20> label;
    bit<4>  rest;
}

struct headers_t {
    frame_t frame;
    label_t label;
}

struct metadata_t { }

parser TestParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    value_set<bit<16>>(2) labelled;

    state start {
        packet.extract(hdr.frame);
        transition select(hdr.frame.kind) {
            labelled: parse_label;
            default:  accept;
        }
    }

    state parse_label {
        packet.extract(hdr.label);
        transition accept;
    }
}

control TestVerify(inout headers_t hdr, inout metadata_t meta) { apply {} }
control TestCompute(inout headers_t hdr, inout metadata_t meta) { apply {} }

control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<32>>(4) cells;
    register<int<8>>(2) signed_cells;
    direct_meter<bit<2>>(MeterType.packets) pace;
    @max_group_size(4)
    action_selector(HashAlgorithm.crc16, 8, 16) spread_members;
    bit<2> colour = 0;

    action drop() { mark_to_drop(standard); }
    action forward(bit<9> port) { standard.egress_spec = port; }
    action metered(bit<9> port) {
        pace.read(colour);
        standard.egress_spec = port;
    }

    table labels {
        key = { hdr.label.label : lpm @name("label"); }
        actions = { forward; drop; }
        default_action = drop();
        size = 16;
    }

    table preset {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { forward; NoAction; }
        default_action = NoAction();
        entries = {
            0x1111 : forward(1);
        }
    }

    table policed {
        key = { hdr.frame.source : exact @name("source"); }
        actions = { metered; NoAction; }
        default_action = NoAction();
        meters = pace;
        size = 16;
    }

    table spread {
        key = {
            hdr.frame.target : exact @name("target");
            hdr.frame.source : selector;
        }
        actions = { forward; NoAction; }
        implementation = spread_members;
        size = 16;
    }

    apply {
        mark_to_drop(standard);
        cells.write(0, (bit<32>)hdr.frame.kind);
        signed_cells.write(0, -1);
        if (hdr.label.isValid()) {
            labels.apply();
        } else {
            policed.apply();
            preset.apply();
            spread.apply();
        }
    }
}

control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply {} }

control TestDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.frame);
        packet.emit(hdr.label);
    }
}

V1Switch(TestParser(), TestVerify(), TestIngress(), TestEgress(), TestCompute(), TestDeparser()) main;
