// SPDX-License-Identifier: Apache-2.0
// Meters of both units, direct and indirect. Every colour is written into the frame.

#include <core.p4>
#include <v1model.p4>

header frame_t {
    bit<48> target;
    bit<48> source;
    bit<16> kind;
}

header colours_t {
    bit<8> by_frame;
    bit<8> by_byte;
    bit<8> by_entry;
    bit<8> by_entry_bytes;
}

struct headers_t {
    frame_t   frame;
    colours_t colours;
}

struct metadata_t {
    bit<2> entry_colour;
    bit<8> entry_bytes_colour;
}

parser TestParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.colours);
        transition accept;
    }
}

control TestVerify(inout headers_t hdr, inout metadata_t meta) { apply {} }
control TestCompute(inout headers_t hdr, inout metadata_t meta) { apply {} }

control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    meter(4, MeterType.packets) frames;
    meter(4, MeterType.bytes) bytes;
    direct_meter<bit<2>>(MeterType.packets) entry_frames;
    direct_meter<bit<8>>(MeterType.bytes) entry_bytes;

    action colour() {
        entry_frames.read(meta.entry_colour);
        hdr.colours.by_entry = (bit<8>)meta.entry_colour;
    }
    action colour_as(bit<8> added) {
        entry_frames.read(meta.entry_colour);
        hdr.colours.by_entry = (bit<8>)meta.entry_colour + added;
    }
    action colour_bytes() {
        entry_bytes.read(meta.entry_bytes_colour);
        hdr.colours.by_entry_bytes = meta.entry_bytes_colour;
    }

    table police {
        key = { hdr.frame.target : exact @name("target"); }
        actions = { colour; colour_as; @defaultonly NoAction; }
        const default_action = NoAction();
        meters = entry_frames;
        size = 16;
    }

    table police_bytes {
        key = { hdr.frame.source : ternary @name("source"); }
        actions = { colour_bytes; @defaultonly NoAction; }
        const default_action = NoAction();
        meters = entry_bytes;
        size = 16;
    }

    apply {
        bit<32> index = (bit<32>)(hdr.frame.kind & 7);
        frames.execute_meter(index, hdr.colours.by_frame);
        bytes.execute_meter(index, hdr.colours.by_byte);
        police.apply();
        police_bytes.apply();
        standard.egress_spec = 510; // the CPU port of the tests
    }
}

control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply {} }

control TestDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.frame);
        packet.emit(hdr.colours);
    }
}

V1Switch(TestParser(), TestVerify(), TestIngress(), TestEgress(), TestCompute(), TestDeparser()) main;
