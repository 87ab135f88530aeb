// SPDX-License-Identifier: Apache-2.0
// Action profiles and action selectors: every hash, shared and unshared, with successors by action and by hit or miss.
// What happened is written into the frame, so that a test can read from outside which member was chosen.

#include <core.p4>
#include <v1model.p4>

header frame_t {
    bit<48> target;
    bit<48> source;
    bit<16> kind;
}

header trace_t {
    bit<16> tag;    // of the member whose action ran last; 0: none
    bit<16> turns;  // which successors were taken
}

struct headers_t {
    frame_t frame;
    trace_t trace;
}

struct metadata_t {
}

parser TestParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.trace);
        transition accept;
    }
}

control TestVerify(inout headers_t hdr, inout metadata_t meta) { apply {} }
control TestCompute(inout headers_t hdr, inout metadata_t meta) { apply {} }

control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action_profile(6) hops;
    action_selector(HashAlgorithm.crc32, 1024, 32) spread;
    @max_group_size(4) action_selector(HashAlgorithm.crc16, 64, 16) shared_spread;
    action_selector(HashAlgorithm.identity, 64, 64) plain_spread;
    direct_counter(CounterType.packets_and_bytes) spread_hits;

    action drop() { mark_to_drop(standard); }
    action forward(bit<9> port, bit<16> tag) {
        standard.egress_spec = port;
        hdr.trace.tag = tag;
    }
    action rewrite(bit<48> target, bit<9> port, bit<16> tag) {
        hdr.frame.target = target;
        standard.egress_spec = port;
        hdr.trace.tag = tag;
    }
    action turn(bit<16> bits) { hdr.trace.turns = hdr.trace.turns | bits; }

    // kind 1
    table by_hop {
        key = { hdr.frame.target : exact @name("target"); }
        actions = { forward; rewrite; drop; }
        implementation = hops;
        size = 16;
    }

    // kind 2
    table by_spread {
        key = {
            hdr.frame.target      : exact @name("target");
            hdr.frame.source      : selector;
            standard.ingress_port : selector;
        }
        actions = { forward; rewrite; drop; }
        implementation = spread;
        counters = spread_hits;
        size = 16;
    }

    // kinds 3 and 4
    table by_shared_ternary {
        key = {
            hdr.frame.target : ternary @name("target");
            hdr.frame.source : selector;
        }
        actions = { forward; drop; }
        implementation = shared_spread;
        size = 16;
    }

    table by_shared_prefix {
        key = {
            hdr.frame.target : lpm @name("target");
            hdr.frame.source : selector;
        }
        actions = { forward; drop; }
        implementation = shared_spread;
        size = 16;
        support_timeout = true;
    }

    // kind 5
    table by_plain {
        key = {
            hdr.frame.target : exact @name("target");
            hdr.frame.source : selector;
            hdr.frame.target : selector;
        }
        actions = { forward; drop; }
        implementation = plain_spread;
        size = 16;
    }

    apply {
        if (hdr.frame.kind == 1) {
            by_hop.apply();
            turn(1);
        } else if (hdr.frame.kind == 2) {
            switch (by_spread.apply().action_run) {
                rewrite: { turn(2); }
                forward: { turn(4); }
            }
            turn(8);
        } else if (hdr.frame.kind == 3) {
            if (by_shared_ternary.apply().hit) { turn(16); } else { turn(32); }
        } else if (hdr.frame.kind == 4) {
            by_shared_prefix.apply();
        } else if (hdr.frame.kind == 5) {
            by_plain.apply();
        }
        // What no member has forwarded still comes out, with tag 0.
        if (standard.egress_spec == 0) { standard.egress_spec = 100; }
    }
}

control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply {} }

control TestDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.frame);
        packet.emit(hdr.trace);
    }
}

V1Switch(TestParser(), TestVerify(), TestIngress(), TestEgress(), TestCompute(), TestDeparser()) main;
