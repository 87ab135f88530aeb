// SPDX-License-Identifier: Apache-2.0
// The rarer things p4c can say, chosen by the first byte; the result is left in `trace`.
#include <core.p4>
#include <v1model.p4>

header order_t { bit<8> what; bit<8> argument; bit<16> trace; }
header small_t { bit<8> kind; bit<8> value; }
header large_t { bit<8> kind; bit<24> value; }
header_union option_t { small_t small; large_t large; }
header text_t { bit<8> length; varbit<64> bytes; }
header numbers_t { bit<48> port; bit<64> low; bit<64> high; bit<64> drawn; int<8> plus; int<8> minus; }

struct headers_t { order_t order; option_t[3] options; text_t text; text_t[2] texts; small_t[3] cells; numbers_t numbers; }
struct metadata_t { bit<8> left; bit<8> turns; }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    value_set<bit<8>>(4) welcome;

    state start {
        packet.extract(hdr.order);
        meta.left = hdr.order.argument & 0xf;
        transition select(hdr.order.what) {
            0x10 &&& 0xf0: options;
            0x20 &&& 0xf0: texts;
            0x30: set;
            0x31: ping;
            0x32: pong;
            0x40 &&& 0xf0: cells;
            0x50 &&& 0xf0: numbers;
            default: accept;
        }
    }
    state options {
        transition select(meta.left, packet.lookahead<bit<8>>()) {
            (0, _): accept;
            (_, 1): small_option;
            (_, 2): large_option;
            default: accept;
        }
    }
    state small_option { packet.extract(hdr.options.next.small); meta.left = meta.left - 1; transition options; }
    state large_option { packet.extract(hdr.options.next.large); meta.left = meta.left - 1; transition options; }
    state texts {
        packet.extract(hdr.text, (bit<32>)packet.lookahead<bit<8>>() * 8);
        packet.extract(hdr.texts.next, (bit<32>)packet.lookahead<bit<8>>() * 8);
        packet.extract(hdr.texts.next, (bit<32>)packet.lookahead<bit<8>>() * 8);
        transition accept;
    }
    state set {
        transition select(hdr.order.argument) { welcome: welcomed; default: accept; }
    }
    state welcomed { meta.turns = 0xaa; transition accept; }
    // A loop with two entries.
    state ping {
        meta.turns = meta.turns + 1;
        meta.left = meta.left - 1;
        transition select(meta.left) { 0: accept; default: pong; }
    }
    state pong {
        meta.turns = meta.turns + 16;
        meta.left = meta.left - 1;
        transition select(meta.left) { 0: accept; default: ping; }
    }
    state cells {
        packet.extract(hdr.cells.next);
        packet.extract(hdr.cells.next);
        packet.extract(hdr.cells.next);
        transition accept;
    }
    state numbers { packet.extract(hdr.numbers); transition accept; }
}

control Verify(inout headers_t hdr, inout metadata_t meta) { apply { } }

control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action in_range(bit<16> trace) { hdr.order.trace = trace; }
    table wide_range {
        key = { hdr.numbers.port: range @name("port"); }
        actions = { in_range; NoAction; }
        const default_action = NoAction();
    }

    // The element is read as a whole.
    action copy_cell(bit<32> from) { hdr.cells[0] = hdr.cells[from]; }
    action remove_cell(bit<32> at) { hdr.cells[at].setInvalid(); }
    action add_cell(bit<32> at) { hdr.cells[at].setValid(); }
    action write_cell(bit<32> at, bit<8> value) { hdr.cells[at].value = value + hdr.cells[1].value; }

    action count_up(bit<8> turns) {
        hdr.order.trace = 0;
        for (bit<8> turn = 0; turn < turns; turn = turn + 1) { hdr.order.trace = hdr.order.trace + 3; }
    }

    apply {
        standard.egress_spec = 1;
        if (hdr.order.what == 0x11) {
            hdr.options.push_front(1);
            hdr.options[0].small.setValid();
            hdr.options[0].small.kind = 1;
            hdr.options[0].small.value = 0x77;
        } else if (hdr.order.what == 0x12) {
            hdr.options.pop_front(1);
        } else if (hdr.order.what == 0x13) {
            hdr.options[1].large.setValid();
            hdr.options[1].large.kind = 2;
        } else if (hdr.order.what == 0x14) {
            option_t[3] copy = hdr.options;
            hdr.options.pop_front(3);
            hdr.options[2] = copy[0];
        } else if (hdr.order.what == 0x15) {
            hdr.order.trace = 0;
            if (hdr.options[0].small.isValid()) { hdr.order.trace = hdr.order.trace | 1; }
            if (hdr.options[1].small.isValid()) { hdr.order.trace = hdr.order.trace | 2; }
            if (hdr.options[0].large.isValid()) { hdr.order.trace = hdr.order.trace | 4; }
            if (hdr.options[0] == hdr.options[1]) { hdr.order.trace = hdr.order.trace | 8; }
        } else if (hdr.order.what == 0x20) {
            hdr.order.trace = 0;
            if (hdr.text == hdr.texts[0]) { hdr.order.trace = hdr.order.trace | 1; }
            if (hdr.texts[0].bytes == hdr.texts[1].bytes) { hdr.order.trace = hdr.order.trace | 2; }
            text_t[2] copy = hdr.texts;
            if (copy == hdr.texts) { hdr.order.trace = hdr.order.trace | 4; }
        } else if (hdr.order.what == 0x21) {
            // A varbit field outside a header.
            varbit<64> saved = hdr.texts[0].bytes;
            bit<8> length = hdr.texts[0].length;
            hdr.texts[0].bytes = hdr.texts[1].bytes;
            hdr.texts[0].length = hdr.texts[1].length;
            hdr.texts[1].bytes = saved;
            hdr.texts[1].length = length;
        } else if (hdr.order.what == 0x22) {
            hdr.texts.push_front(1);
        } else if (hdr.order.what[7:4] == 3) {
            hdr.order.trace = (bit<16>)meta.turns;
        } else if (hdr.order.what == 0x40) {
            copy_cell((bit<32>)hdr.order.argument);
        } else if (hdr.order.what == 0x41) {
            remove_cell((bit<32>)hdr.order.argument);
        } else if (hdr.order.what == 0x42) {
            remove_cell(1);
            add_cell((bit<32>)hdr.order.argument);
        } else if (hdr.order.what == 0x43) {
            write_cell((bit<32>)hdr.order.argument, 0x40);
        } else if (hdr.order.what == 0x50) {
            wide_range.apply();
        } else if (hdr.order.what == 0x51) {
            random(hdr.numbers.drawn, hdr.numbers.low, hdr.numbers.high);
        } else if (hdr.order.what == 0x52) {
            hdr.numbers.plus = hdr.numbers.plus |+| hdr.numbers.minus;
            hdr.numbers.minus = hdr.numbers.plus |-| 100;
            hdr.numbers.drawn = hdr.numbers.low |+| hdr.numbers.high;
        } else if (hdr.order.what == 0x60) {
            log_msg("argument {}, trace {} \\{\\}", { hdr.order.argument, hdr.order.trace });
        } else if (hdr.order.what == 0x61) {
            assert(hdr.order.argument == 0);
        } else if (hdr.order.what == 0x62) {
            standard.priority = hdr.order.argument[2:0];
        } else if (hdr.order.what == 0x63) {
            count_up(hdr.order.argument);
        } else if (hdr.order.what == 0x64) {
            hdr.order.trace = (bit<16>)standard.enq_qdepth;
        } else if (hdr.order.what == 0x65) {
            log_msg("no values");
            log_msg("{} comes too early for BMv2", { hdr.order.argument });
        }
    }
}

control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (hdr.order.what == 0x64) { hdr.order.trace = standard.enq_timestamp[15:0] + (bit<16>)standard.deq_timedelta; }
        if (hdr.order.what == 0x66) { hdr.order.trace = standard.enq_qdepth[15:0]; }
        if (hdr.order.what == 0x67) { hdr.order.trace = standard.enq_qdepth[18:3]; }
        if (hdr.order.what == 0x68) { hdr.order.trace = (bit<16>)standard.deq_qdepth + (bit<16>)standard.deq_timedelta; }
    }
}

control Update(inout headers_t hdr, inout metadata_t meta) { apply { } }

control Deparse(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.order);
        packet.emit(hdr.options);
        packet.emit(hdr.text);
        packet.emit(hdr.texts);
        packet.emit(hdr.cells);
        packet.emit(hdr.numbers);
    }
}

V1Switch(Parse(), Verify(), SwitchIngress(), SwitchEgress(), Update(), Deparse()) main;
