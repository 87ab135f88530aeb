// SPDX-License-Identifier: Apache-2.0
// Control flow: exit and return at every level, functions, parameters in all directions, nested controls, actions that
// call actions, switches on values, loops that go on and break off, and copies of structs and headers.

#include "shell.p4"

header work_t {
    bit<8>  a;
    bit<8>  b;
    bit<16> c;
    bit<32> d;
    int<16> e;
    bit<8>  steps;
}

header proof_t {
    bit<32> passed;
    bit<16> result;
    bit<8>  depth;
}

struct pair_t {
    bit<16> first;
    bit<8>  second;
}

struct nested_t {
    pair_t  pair;
    bit<32> total;
    bool    is_set;
}

struct headers_t {
    proof_t proof;
    frame_t frame;
    work_t  work;
}

struct metadata_t {
    nested_t nested;
    pair_t   other;
}

enum bit<8> Kind { None = 0, Early = 1, Late = 2, Loop = 3, Copy = 4, Deep = 5 }

bit<16> fold(in bit<16> value, in bit<8> rounds) {
    bit<16> folded = value;
    if (rounds == 0) {
        return value;
    }
    if (rounds > 100) {
        folded = folded ^ 0xffff;
        return folded + 1;
    }
    return (folded << 3) | (folded >> 13);
}

void bump(inout bit<16> number, in bit<8> by, out bit<8> before) {
    before = number[7:0];
    number = number + (bit<16>)by;
}

parser WorkParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        meta.nested.total = 5;
        packet.extract(hdr.frame);
        packet.extract(hdr.work);
        meta.nested.pair.first = hdr.work.c;
        transition accept;
    }
}

NO_CHECKSUMS

control Inner(inout work_t work, inout nested_t nested, out bit<8> depth)(bit<8> step) {
    action deeper(bit<8> by) {
        work.a = work.a + by;
        if (work.a == 13) {
            exit;
        }
        nested.total = nested.total + 1;
    }
    table inner_table {
        key = { work.b : exact @name("b"); }
        actions = { deeper; NoAction; }
        size = 16;
    }
    apply {
        depth = step;
        if (work.steps == step) {
            return;
        }
        inner_table.apply();
        depth = depth + 1;
        nested.is_set = work.a > work.b;
    }
}

control Work(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    Inner(1) first;
    Inner(10) second;

    action set_result(bit<16> value) {
        hdr.proof.result = value;
        if (value > 0x8000) {
            return;
        }
        hdr.proof.result = value << 1;
    }
    action call_twice(bit<16> value) {
        set_result(value);
        set_result(hdr.proof.result + 1);
    }
    action leave() {
        hdr.proof.passed[31:31] = 1;
        exit;
    }
    action branchy(bit<8> low, bit<8> high) {
        if (hdr.work.a < low) {
            hdr.work.a = low;
        } else if (hdr.work.a > high) {
            hdr.work.a = high;
        } else {
            hdr.work.b = hdr.work.a ^ low;
        }
        hdr.proof.passed[30:30] = hdr.work.a == high ? 1w1 : 0;
    }
    table choose {
        key = { hdr.work.a : ternary @name("a"); hdr.work.e : exact @name("e"); }
        actions = { set_result; call_twice; leave; branchy; NoAction; }
        default_action = branchy(10, 200);
        size = 32;
    }

    action in_loop(bit<8> by) { hdr.work.d = hdr.work.d + (bit<32>)by; }
    table every_time {
        key = { hdr.work.steps : exact @name("steps"); }
        actions = { in_loop; leave; NoAction; }
        size = 16;
    }

    apply {
        FORWARD(hdr.frame)
        if (!hdr.work.isValid()) {
            exit;
        }
        bit<8> depth = 0;
        bit<8> before = 0;
        hdr.proof.setValid();
        hdr.proof.passed[0:0] = 1;
        if (hdr.frame.kind == (bit<8>)Kind.Early) {
            hdr.proof.passed[1:1] = 1;
            return;
        }
        first.apply(hdr.work, meta.nested, depth);
        hdr.proof.depth = depth;
        hdr.proof.passed[2:2] = 1;
        switch (hdr.work.steps) {
            0: { hdr.proof.passed[3:3] = 1; }
            1:
            2: { hdr.proof.passed[4:4] = 1; }
            255: { return; }
            default: { hdr.proof.passed[5:5] = 1; }
        }
        choose.apply();
        bump(meta.nested.pair.first, hdr.work.b, before);
        hdr.proof.result = fold(hdr.proof.result ^ meta.nested.pair.first, hdr.work.steps);
        if (hdr.frame.kind == (bit<8>)Kind.Loop) {
            for (bit<8> i = 0; i < 6; i = i + 1) {
                if (i == hdr.work.steps) {
                    break;
                }
                if (i[0:0] == 1) {
                    continue;
                }
                hdr.work.d = hdr.work.d * 3 + (bit<32>)i;
            }
            for (bit<8> j = 1; j <= 4; j = j + 1) {
                hdr.work.c = hdr.work.c ^ ((bit<16>)j << j);
            }
        }
        if (hdr.frame.kind == (bit<8>)Kind.Copy) {
            meta.other = meta.nested.pair;
            meta.nested.pair = { 0x77, before };
            if (meta.other == meta.nested.pair) {
                hdr.proof.passed[6:6] = 1;
            }
            work_t kept = hdr.work;
            hdr.work.a = kept.b;
            hdr.work.b = kept.a;
            hdr.work.d = (bit<32>)meta.other.first ++ meta.other.second ++ 8w0 == 48w0 ? kept.d : ~kept.d;
        }
        if (hdr.frame.kind == (bit<8>)Kind.Deep) {
            second.apply(hdr.work, meta.nested, depth);
            hdr.proof.depth = hdr.proof.depth + depth;
            if (meta.nested.is_set) {
                hdr.proof.passed[7:7] = 1;
            }
        }
        every_time.apply();
        hdr.proof.passed[15:8] = before;
        if (hdr.frame.kind == (bit<8>)Kind.Late) {
            exit;
        }
        hdr.proof.passed[29:16] = (bit<14>)meta.nested.total;
    }
}

control Finish(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action last(bit<8> value) {
        hdr.proof.depth = value;
        exit;
    }
    table finish {
        key = { standard.egress_port : exact @name("port"); hdr.proof.isValid() : exact @name("has_proof"); }
        actions = { last; NoAction; }
        size = 16;
    }
    apply {
        // Exit in ingress does not skip egress.
        if (hdr.proof.isValid()) {
            finish.apply();
            hdr.proof.passed[23:23] = 1;
        }
    }
}

control WorkDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(WorkParser(), NoVerify(), Work(), Finish(), NoUpdate(), WorkDeparser()) main;
