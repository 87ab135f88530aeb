// SPDX-License-Identifier: Apache-2.0
// What a parser can do beside stacks: unions, varbit, lookahead, advance, verify with errors of one's own, selects by
// mask, range and tuple, subparsers. The outcome is told in `verdict`, which leaves first.

#include "shell.p4"

error { BadLength, BadMagic, Unlikely }

header verdict_t {
    bit<8>  error_code;
    bit<8>  path;
    bit<32> peeked;
    bit<8>  shape;
}

header short_t {
    bit<4> type;
    bit<4> value;
}

header medium_t {
    bit<4>  type;
    bit<12> value;
}

header long_t {
    bit<4>  type;
    bit<76> value;
}

header_union choice_t {
    short_t  short;
    medium_t medium;
    long_t   long;
}

header options_t {
    bit<4>      words;
    bit<4>      flags;
    bit<16>     magic;
    varbit<160> data;
}

header copy_t {
    bit<8>      length;
    varbit<160> data;
}

header tail_t {
    bit<16> kind;
    bit<48> body;
}

struct headers_t {
    verdict_t verdict;
    frame_t   frame;
    choice_t  choice;
    options_t options;
    copy_t    copy;
    tail_t    tail;
    tail_t    second_tail;
}

struct metadata_t {
    bit<8>  path;
    bit<32> peeked;
    bit<4>  nibble;
}

parser TailParser(packet_in packet, out tail_t tail, inout metadata_t meta) {
    state start {
        packet.extract(tail);
        transition select(tail.kind) {
            0x1000 .. 0x1fff: in_range;
            0x8000 &&& 0x8001: masked;
            default: accept;
        }
    }
    state in_range {
        meta.path[4:4] = 1;
        transition accept;
    }
    state masked {
        meta.path[5:5] = 1;
        transition accept;
    }
}

parser ShapeParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    TailParser() tail_parser;

    state start {
        packet.extract(hdr.frame);
        transition select(hdr.frame.kind) {
            0: accept;
            1: parse_choice;
            2: parse_options;
            3: peek;
            4: skip;
            5: check;
            6: parse_tail;
            7: no_way_out;
            8: refuse;
            9: parse_choice_twice;
            default: accept;
        }
    }
    state parse_choice {
        meta.nibble = packet.lookahead<bit<4>>();
        meta.path[0:0] = 1;
        transition select(meta.nibble) {
            1: parse_short;
            2: parse_medium;
            3: parse_long;
            default: accept;
        }
    }
    state parse_short { packet.extract(hdr.choice.short); transition parse_tail; }
    state parse_medium { packet.extract(hdr.choice.medium); transition parse_tail; }
    state parse_long { packet.extract(hdr.choice.long); transition accept; }
    // A second member takes the place of the first.
    state parse_choice_twice {
        packet.extract(hdr.choice.short);
        packet.extract(hdr.choice.medium);
        transition accept;
    }
    state parse_options {
        packet.extract(hdr.options, (bit<32>)(packet.lookahead<bit<4>>()) << 4);
        transition select(hdr.options.flags) {
            1: parse_tail;
            2: check_options;
            default: accept;
        }
    }
    state check_options {
        verify(hdr.options.magic == 0xbeef, error.BadMagic);
        transition parse_tail;
    }
    state peek {
        meta.peeked = packet.lookahead<bit<32>>();
        meta.path[1:1] = 1;
        transition select(packet.lookahead<bit<8>>()) {
            0x00 .. 0x3f: parse_tail;
            0x40: skip;
            default: accept;
        }
    }
    state skip {
        packet.advance(24);
        meta.path[2:2] = 1;
        transition parse_tail;
    }
    state check {
        verify(packet.lookahead<bit<8>>() != 0xff, error.BadLength);
        packet.extract(hdr.tail);
        verify(hdr.tail.kind > 0x0100, error.Unlikely);
        meta.path[3:3] = 1;
        transition accept;
    }
    state parse_tail {
        tail_parser.apply(packet, hdr.tail, meta);
        transition select(hdr.tail.kind, hdr.frame.port) {
            (0x0001, _): parse_second_tail;
            (_, 0x40 &&& 0xc0): parse_second_tail;
            default: accept;
        }
    }
    state parse_second_tail {
        packet.extract(hdr.second_tail);
        transition accept;
    }
    state no_way_out {
        packet.extract(hdr.tail);
        transition select(hdr.tail.kind) {
            1: accept;
            2: parse_second_tail;
        }
    }
    state refuse {
        packet.extract(hdr.tail);
        transition reject;
    }
}

NO_CHECKSUMS

control Judge(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action make_short(bit<4> value) {
        hdr.choice.short.setValid();
        hdr.choice.short.type = 1;
        hdr.choice.short.value = value;
    }
    action make_long() {
        hdr.choice.long.setValid();
        hdr.choice.long.type = 3;
        hdr.choice.long.value = 0x123456789abcdef0123;
    }
    action unmake() {
        hdr.choice.short.setInvalid();
        hdr.choice.medium.setInvalid();
        hdr.choice.long.setInvalid();
    }
    action swap_tails() {
        tail_t kept = hdr.tail;
        hdr.tail = hdr.second_tail;
        hdr.second_tail = kept;
    }
    table change {
        key = { meta.path : ternary @name("path"); hdr.tail.kind : ternary @name("tail"); }
        actions = { make_short; make_long; unmake; swap_tails; NoAction; }
        size = 32;
    }

    apply {
        FORWARD(hdr.frame)
        hdr.verdict.setValid();
        hdr.verdict.path = meta.path;
        hdr.verdict.peeked = meta.peeked;
        if (standard.parser_error == error.NoError) { hdr.verdict.error_code = 0; }
        else if (standard.parser_error == error.PacketTooShort) { hdr.verdict.error_code = 1; }
        else if (standard.parser_error == error.HeaderTooShort) { hdr.verdict.error_code = 2; }
        else if (standard.parser_error == error.BadLength) { hdr.verdict.error_code = 3; }
        else if (standard.parser_error == error.BadMagic) { hdr.verdict.error_code = 4; }
        else if (standard.parser_error == error.Unlikely) { hdr.verdict.error_code = 5; }
        else if (standard.parser_error == error.ParserInvalidArgument) { hdr.verdict.error_code = 6; }
        else { hdr.verdict.error_code = 7; }
        change.apply();
        if (hdr.choice.isValid()) { hdr.verdict.shape[0:0] = 1; }
        if (hdr.choice.short.isValid()) { hdr.verdict.shape[1:1] = 1; }
        if (hdr.choice.medium.isValid()) { hdr.verdict.shape[2:2] = 1; }
        if (hdr.choice.long.isValid()) { hdr.verdict.shape[3:3] = 1; }
        if (hdr.options.isValid() && hdr.options.flags == 4) {
            hdr.copy.setValid();
            hdr.copy.length = (bit<8>)hdr.options.words;
            hdr.copy.data = hdr.options.data;
        }
    }
}

control Measure(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply { hdr.verdict.peeked = hdr.verdict.peeked ^ standard.packet_length; }
}

control ShapeDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(ShapeParser(), NoVerify(), Judge(), Measure(), NoUpdate(), ShapeDeparser()) main;
