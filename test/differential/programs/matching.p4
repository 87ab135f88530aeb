// SPDX-License-Identifier: Apache-2.0
// Every kind of match at odd widths, alone and together, with priorities, constant entries, default actions that carry
// data, hit and miss branches, and direct counters. Each table leaves a mark of what it did in `trace`.

#include "shell.p4"

header keys_t {
    bit<1>   k1;
    bit<9>   k9;
    bit<6>   k6;
    bit<16>  k16;
    bit<32>  k32;
    bit<33>  k33;
    bit<7>   k7;
    bit<48>  k48;
    bit<64>  k64;
    bit<128> k128;
    int<8>   s8;
}

header option_t {
    bit<16> value;
}

header trace_t {
    bit<16> exact_mark;
    bit<16> lpm_mark;
    bit<16> ternary_mark;
    bit<16> range_mark;
    bit<16> optional_mark;
    bit<16> mixed_mark;
    bit<16> const_mark;
    bit<16> expression_mark;
    bit<8>  branches;
}

struct headers_t {
    frame_t  frame;
    keys_t   keys;
    option_t option;
    trace_t  trace;
}

struct metadata_t {
    bit<16> sum;
}

parser KeyParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.keys);
        transition select(hdr.frame.kind) {
            1: parse_option;
            default: accept;
        }
    }
    state parse_option {
        packet.extract(hdr.option);
        transition accept;
    }
}

NO_CHECKSUMS

control Match(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    direct_counter(CounterType.packets_and_bytes) exact_hits;
    direct_counter(CounterType.packets) ternary_hits;
    direct_counter(CounterType.bytes) lpm_hits;

    action mark_exact(bit<16> mark) { hdr.trace.exact_mark = mark; }
    action mark_exact_twice(bit<9> high, bit<7> low) { hdr.trace.exact_mark = high ++ low; }
    table exact_table {
        key = {
            hdr.keys.k1 : exact @name("k1");
            hdr.keys.k9 : exact @name("k9");
            hdr.keys.k16 : exact @name("k16");
        }
        actions = { mark_exact; mark_exact_twice; @defaultonly NoAction; }
        default_action = mark_exact(0xdead);
        counters = exact_hits;
        support_timeout = true;
        size = 12;
    }

    action mark_wide(bit<16> mark) { hdr.trace.exact_mark = hdr.trace.exact_mark ^ mark; }
    table wide_exact_table {
        key = {
            hdr.keys.k128 : exact @name("k128");
            hdr.keys.k33 : exact @name("k33");
        }
        actions = { mark_wide; NoAction; }
        size = 64;
    }

    action mark_lpm(bit<16> mark) { hdr.trace.lpm_mark = mark; }
    table lpm_table {
        key = {
            hdr.keys.k6 : exact @name("k6");
            hdr.keys.k32 : lpm @name("k32");
        }
        actions = { mark_lpm; NoAction; }
        counters = lpm_hits;
        default_action = mark_lpm(1);
        size = 64;
    }

    action mark_long(bit<16> mark) { hdr.trace.lpm_mark = hdr.trace.lpm_mark + mark; }
    table long_lpm_table {
        key = { hdr.keys.k128 : lpm @name("k128"); }
        actions = { mark_long; @tableonly NoAction; }
        const default_action = mark_long(0x100);
        size = 64;
    }

    action mark_ternary(bit<16> mark) { hdr.trace.ternary_mark = mark; }
    table ternary_table {
        key = {
            hdr.keys.k33 : ternary @name("k33");
            hdr.keys.k48 : ternary @name("k48");
            hdr.keys.s8 : ternary @name("s8");
        }
        actions = { mark_ternary; NoAction; }
        counters = ternary_hits;
        size = 64;
    }

    action mark_range(bit<16> mark) { hdr.trace.range_mark = mark; }
    table range_table {
        key = {
            hdr.keys.k16 : range @name("k16");
            hdr.keys.k64 : range @name("k64");
        }
        actions = { mark_range; NoAction; }
        default_action = mark_range(7);
        size = 64;
    }

    action mark_optional(bit<16> mark) { hdr.trace.optional_mark = mark; }
    table optional_table {
        key = {
            hdr.keys.k9 : optional @name("k9");
            hdr.keys.k48 : optional @name("k48");
        }
        actions = { mark_optional; NoAction; }
        size = 64;
    }

    action mark_mixed(bit<16> mark) { hdr.trace.mixed_mark = mark; }
    action mark_mixed_sum(bit<16> mark, bit<16> more) { hdr.trace.mixed_mark = mark + more + hdr.keys.k16; }
    table mixed_table {
        key = {
            hdr.keys.k7 : exact @name("k7");
            hdr.keys.k32 : lpm @name("k32");
            hdr.keys.k16 : range @name("k16");
            hdr.keys.k9 : optional @name("k9");
            hdr.keys.k64 : ternary @name("k64");
        }
        actions = { mark_mixed; mark_mixed_sum; NoAction; }
        size = 64;
    }

    action mark_const(bit<16> mark) { hdr.trace.const_mark = mark; }
    action mark_const_port(bit<16> mark, bit<9> port) {
        hdr.trace.const_mark = mark;
        standard.egress_spec = port;
    }
    table const_table {
        key = {
            hdr.keys.k16 : ternary @name("k16");
            hdr.keys.k9 : range @name("k9");
        }
        actions = { mark_const; mark_const_port; NoAction; }
        const entries = {
            (0x0001 &&& 0x000f, 0 .. 10) : mark_const(1);
            (0x0001 &&& 0x00ff, 5 .. 300) : mark_const(2);
            (_, 300 .. 400) : mark_const_port(3, 6);
            (0x8000 &&& 0x8000, _) : mark_const(4);
            (0x1234, 511) : mark_const_port(5, 5);
        }
        default_action = mark_const(0xffff);
    }

    action mark_expression(bit<16> mark) { hdr.trace.expression_mark = mark; }
    table expression_table {
        key = {
            hdr.option.isValid() : exact @name("has_option");
            hdr.option.value : ternary @name("option");
            (hdr.keys.k16 + 1)[11:4] : exact @name("slice");
            hdr.keys.k32 & 0x00ffff00 : ternary @name("masked");
        }
        actions = { mark_expression; NoAction; }
        size = 64;
    }

    action left() { hdr.trace.branches[0:0] = 1; }
    action right(bit<3> bits) { hdr.trace.branches[3:1] = bits; }
    action nowhere() { mark_to_drop(standard); }
    table branch_table {
        key = { hdr.keys.k6 : exact @name("k6"); }
        actions = { left; right; nowhere; NoAction; }
        default_action = right(5);
        size = 64;
    }

    table keyless_table {
        actions = { left; right; NoAction; }
        default_action = NoAction();
    }

    apply {
        FORWARD(hdr.frame)
        if (!hdr.keys.isValid()) {
            return;
        }
        hdr.trace.setValid();
        if (exact_table.apply().hit) {
            hdr.trace.branches[7:7] = 1;
        }
        if (wide_exact_table.apply().miss) {
            hdr.trace.branches[6:6] = 1;
        }
        lpm_table.apply();
        long_lpm_table.apply();
        if (!ternary_table.apply().hit) {
            hdr.trace.branches[5:5] = 1;
        }
        range_table.apply();
        optional_table.apply();
        mixed_table.apply();
        const_table.apply();
        expression_table.apply();
        keyless_table.apply();
        switch (branch_table.apply().action_run) {
            left: { hdr.trace.exact_mark = hdr.trace.exact_mark + 1; }
            right: { hdr.trace.exact_mark = hdr.trace.exact_mark + 2; }
            nowhere: { exit; }
            default: { hdr.trace.exact_mark = hdr.trace.exact_mark + 3; }
        }
        meta.sum = hdr.trace.exact_mark + hdr.trace.lpm_mark;
    }
}

control MatchAgain(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action add_port(bit<16> amount) {
        hdr.trace.expression_mark = hdr.trace.expression_mark + amount + (bit<16>)standard.egress_port;
    }
    action refuse() { mark_to_drop(standard); }
    table egress_table {
        key = {
            standard.egress_port : exact @name("port");
            meta.sum : ternary @name("sum");
        }
        actions = { add_port; refuse; NoAction; }
        size = 64;
    }
    apply {
        if (hdr.trace.isValid()) {
            egress_table.apply();
        }
    }
}

control KeyDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(KeyParser(), NoVerify(), Match(), MatchAgain(), NoUpdate(), KeyDeparser()) main;
