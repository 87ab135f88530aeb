// SPDX-License-Identifier: Apache-2.0
// What outlives a packet: counters, registers and meters, direct and by index. Meters are red at once or never: the
// controller sets rates so small that their burst decides, or leaves them green.

#include "shell.p4"

header state_t {
    bit<8>   index;
    bit<8>   small;
    bit<13>  odd;
    bit<3>   rest;
    bit<48>  medium;
    bit<128> large;
    int<16>  signed_value;
}

header color_t {
    bit<8> by_packets;
    bit<8> by_bytes;
    bit<8> direct;
    bit<8> hit;
}

struct headers_t {
    frame_t frame;
    state_t state;
    color_t color;
}

struct metadata_t {
    bit<2>  direct_color;
    bit<8>  packet_color;
    bit<32> byte_color;
}

parser StateParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.state);
        transition accept;
    }
}

NO_CHECKSUMS

control Remember(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(16, CounterType.packets_and_bytes) by_index;
    counter(4, CounterType.packets) packets_only;
    counter(4, CounterType.bytes) bytes_only;
    direct_counter(CounterType.packets_and_bytes) hits;
    meter(8, MeterType.packets) packet_meter;
    meter(8, MeterType.bytes) byte_meter;
    direct_meter<bit<2>>(MeterType.packets) entry_meter;

    register<bit<1>>(16) one_bit;
    register<bit<8>>(16) small_cells;
    register<bit<13>>(16) odd_cells;
    register<bit<48>>(16) medium_cells;
    register<bit<128>>(16) large_cells;
    register<int<16>>(16) signed_cells;

    action exchange() {
        bit<8> small;
        bit<13> odd;
        bit<48> medium;
        bit<128> large;
        int<16> signed_value;
        bit<32> at = (bit<32>)(hdr.state.index & 15);
        small_cells.read(small, at);
        odd_cells.read(odd, at);
        medium_cells.read(medium, at);
        large_cells.read(large, at);
        signed_cells.read(signed_value, at);
        small_cells.write(at, hdr.state.small);
        odd_cells.write(at, hdr.state.odd);
        medium_cells.write(at, hdr.state.medium);
        large_cells.write(at, hdr.state.large);
        signed_cells.write(at, hdr.state.signed_value);
        hdr.state.small = small;
        hdr.state.odd = odd;
        hdr.state.medium = medium;
        hdr.state.large = large;
        hdr.state.signed_value = signed_value;
    }
    action accumulate() {
        bit<8> small;
        bit<48> medium;
        bit<128> large;
        int<16> signed_value;
        bit<32> at = (bit<32>)(hdr.state.index[3:0]);
        small_cells.read(small, at);
        small_cells.write(at, small |+| hdr.state.small);
        medium_cells.read(medium, at);
        medium_cells.write(at, medium + hdr.state.medium);
        large_cells.read(large, at);
        large_cells.write(at, large ^ hdr.state.large);
        signed_cells.read(signed_value, at);
        signed_cells.write(at, signed_value - hdr.state.signed_value);
        small_cells.read(hdr.state.small, at);
        medium_cells.read(hdr.state.medium, at);
        large_cells.read(hdr.state.large, at);
        signed_cells.read(hdr.state.signed_value, at);
    }
    action toggle() {
        bit<1> bit_now;
        one_bit.read(bit_now, (bit<32>)hdr.state.index[3:0]);
        one_bit.write((bit<32>)hdr.state.index[3:0], ~bit_now);
        hdr.state.rest = hdr.state.rest ^ (bit_now ++ 2w0);
    }
    action count_both(bit<8> index) {
        by_index.count((bit<32>)(index & 15));
        by_index.count((bit<32>)hdr.state.index[3:0]);
        packets_only.count((bit<32>)hdr.state.index[1:0]);
        bytes_only.count((bit<32>)hdr.state.index[1:0]);
    }
    table operation {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { exchange; accumulate; toggle; count_both; NoAction; }
        const default_action = NoAction();
        const entries = {
            1 : exchange();
            2 : accumulate();
            3 : toggle();
            4 : count_both(3);
            5 : count_both(15);
        }
    }

    action metered(bit<8> mark) {
        entry_meter.read(meta.direct_color);
        hdr.color.hit = mark;
    }
    table direct_metered {
        key = { hdr.state.index : exact @name("index"); }
        actions = { metered; }
        meters = entry_meter;
        size = 32;
    }

    action counted(bit<8> mark) {
        hits.count();
        hdr.color.hit = hdr.color.hit ^ mark;
    }
    action refused() {
        hits.count();
        mark_to_drop(standard);
    }
    table counted_table {
        key = { hdr.state.small : ternary @name("small"); hdr.state.odd : exact @name("odd"); }
        actions = { counted; refused; }
        counters = hits;
        default_action = counted(0);
        size = 32;
    }

    apply {
        FORWARD(hdr.frame)
        if (!hdr.state.isValid()) {
            return;
        }
        hdr.color.setValid();
        direct_metered.apply();
        counted_table.apply();
        operation.apply();
        packet_meter.execute_meter((bit<32>)hdr.state.index[2:0], meta.packet_color);
        byte_meter.execute_meter((bit<32>)hdr.state.index[2:0], meta.byte_color);
        hdr.color.by_packets = meta.packet_color;
        hdr.color.by_bytes = meta.byte_color[7:0];
        hdr.color.direct = (bit<8>)meta.direct_color;
    }
}

control CountLeaving(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(512, CounterType.packets_and_bytes) leaving;
    apply {
        leaving.count((bit<32>)standard.egress_port);
        if (hdr.frame.isValid() && hdr.frame.kind == 6) {
            mark_to_drop(standard);
        }
    }
}

control StateDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.color);
        packet.emit(hdr.frame);
        packet.emit(hdr.state);
    }
}

V1Switch(StateParser(), NoVerify(), Remember(), CountLeaving(), NoUpdate(), StateDeparser()) main;
