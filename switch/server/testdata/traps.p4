// SPDX-License-Identifier: Apache-2.0
// Steps on every trap of a program that compiles. Compile with:
//   p4c-bm2-ss --std p4-16 -o traps.json --p4runtime-files traps.p4info.txtpb traps.p4

#include <core.p4>
#include <v1model.p4>

header frame_t {
    bit<48> target;
    bit<48> source;
    bit<16> kind;
}

header address_t {
    bit<128> address;
    bit<20>  label;
    bit<32>  number;
    bit<4>   rest;
}

struct headers_t {
    frame_t   frame;
    address_t address;
}

struct metadata_t {
    @field_list(1)
    bit<9> kept;
}

parser TestParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    value_set<bit<16>>(2) labelled;

    state start {
        packet.extract(hdr.frame);
        transition select(hdr.frame.kind) {
            labelled: parse_address;
            default:  accept;
        }
    }

    state parse_address {
        packet.extract(hdr.address);
        transition accept;
    }
}

control TestVerify(inout headers_t hdr, inout metadata_t meta) { apply {} }
control TestCompute(inout headers_t hdr, inout metadata_t meta) { apply {} }

control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<32>>(4) cells;
    direct_counter(CounterType.packets) hits;
    action_selector(HashAlgorithm.crc16, 8, 16) members;

    action forward(bit<9> port) { standard.egress_spec = port; }
    action urgent(bit<3> priority) { standard.priority = priority; }
    action shorten() {
        truncate((bit<32>)64);
        clone_preserving_field_list(CloneType.I2E, 32w5, 1);
    }
    action believe() { assert(hdr.frame.kind != 0); }
    action again() { resubmit_preserving_field_list(1); }

    table preset {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { forward; urgent; shorten; believe; again; NoAction; }
        default_action = forward(1);
        counters = hits;
        entries = { 0x1111 : forward(1); }
    }

    table labels {
        key = { hdr.address.label : lpm @name("label"); }
        actions = { forward; NoAction; }
        default_action = NoAction();
    }

    table addresses {
        key = { hdr.address.address : lpm @name("address"); }
        actions = { forward; NoAction; }
        default_action = NoAction();
        const entries = { 0x20010db8_00000000_00000000_00000000 &&& 0xffffffff_00000000_00000000_00000000 : forward(2); }
    }

    table numbers {
        key = { hdr.address.number : range @name("number"); }
        actions = { forward; NoAction; }
        default_action = NoAction();
        const entries = { _ : forward(2); }
    }

    table spread {
        key = {
            hdr.frame.target : exact @name("target");
            hdr.frame.source : selector;
        }
        actions = { forward; NoAction; }
        default_action = forward(3);
        implementation = members;
    }

    apply {
        cells.write(0, (bit<32>)hdr.frame.kind);
        preset.apply();
        labels.apply();
        addresses.apply();
        numbers.apply();
        spread.apply();
    }
}

control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action redirect() { standard.egress_spec = 7; }

    table redirections {
        key = { standard.ingress_port : exact @name("port"); }
        actions = { redirect; NoAction; }
        default_action = NoAction();
    }

    apply { redirections.apply(); }
}

control TestDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.frame);
        packet.emit(hdr.address);
    }
}

V1Switch(TestParser(), TestVerify(), TestIngress(), TestEgress(), TestCompute(), TestDeparser()) main;
