// SPDX-License-Identifier: Apache-2.0
// Action profiles and selectors: a profile without selector, one shared by two tables, one-shot sets, and selectors by
// each hash.

#include "shell.p4"

header flow_t {
    bit<32> source;
    bit<32> target;
    bit<13> odd;
    bit<3>  few;
    bit<8>  proto;
}

header mark_t {
    bit<16> plain;
    bit<16> shared;
    bit<16> again;
    bit<16> shot;
    bit<16> crc;
    bit<16> more;
}

struct headers_t {
    frame_t frame;
    flow_t  flow;
    mark_t  mark;
}

struct metadata_t { }

parser FlowParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.flow);
        transition accept;
    }
}

NO_CHECKSUMS
NO_EGRESS

control Choose(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action_profile(32) plain_profile;
    action_selector(HashAlgorithm.crc16, 64, 16) shared_selector;
    action_selector(HashAlgorithm.crc32, 64, 16) shot_selector;
    @max_group_size(4)
    action_selector(HashAlgorithm.identity, 32, 8) small_selector;
    action_selector(HashAlgorithm.csum16, 64, 16) sum_selector;

    direct_counter(CounterType.packets_and_bytes) plain_hits;

    action set_plain(bit<16> value) { hdr.mark.plain = value; }
    action set_both(bit<9> port, bit<16> value) { hdr.mark.plain = value; standard.egress_spec = port & 7; }
    action drop() { mark_to_drop(standard); }
    table plain {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { set_plain; set_both; drop; NoAction; }
        implementation = plain_profile;
        counters = plain_hits;
        size = 32;
    }

    action set_shared(bit<16> value) { hdr.mark.shared = value; }
    table shared {
        key = {
            hdr.frame.kind : exact @name("kind");
            hdr.flow.source : selector;
            hdr.flow.odd : selector;
            hdr.flow.target : selector;
        }
        actions = { set_shared; drop; NoAction; }
        implementation = shared_selector;
        size = 32;
    }

    table again {
        key = {
            hdr.flow.few : ternary @name("few");
            hdr.flow.source : selector;
            hdr.flow.odd : selector;
            hdr.flow.target : selector;
        }
        actions = { set_shared; drop; NoAction; }
        implementation = shared_selector;
        size = 32;
    }

    action set_shot(bit<16> value, bit<48> wide) { hdr.mark.shot = value ^ wide[15:0]; hdr.mark.again = wide[47:32]; }
    table shot {
        key = {
            hdr.flow.target : lpm @name("target");
            hdr.flow.source : selector;
            hdr.flow.proto : selector;
            hdr.flow.few : selector;
        }
        actions = { set_shot; drop; NoAction; }
        implementation = shot_selector;
        size = 32;
    }

    action set_crc(bit<16> value) { hdr.mark.crc = value; }
    table small {
        key = {
            hdr.frame.kind : exact @name("kind");
            hdr.flow.proto : selector;
        }
        actions = { set_crc; NoAction; }
        implementation = small_selector;
        size = 32;
    }

    action set_more(bit<16> value) { hdr.mark.more = value; }
    table summed {
        key = {
            hdr.frame.kind : exact @name("kind");
            hdr.flow.odd : selector;
            hdr.flow.source : selector;
        }
        actions = { set_more; NoAction; }
        implementation = sum_selector;
        size = 32;
    }

    apply {
        FORWARD(hdr.frame)
        if (!hdr.flow.isValid()) {
            return;
        }
        hdr.mark.setValid();
        plain.apply();
        if (shared.apply().hit) {
            hdr.mark.shared[15:15] = 1;
        }
        again.apply();
        if (!shot.apply().hit) {
            hdr.mark.again = 0xaaaa;
        }
        switch (small.apply().action_run) {
            set_crc: { hdr.mark.crc[0:0] = 1; }
            default: { hdr.mark.crc[1:1] = 1; }
        }
        summed.apply();
    }
}

control MarkDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.mark);
        packet.emit(hdr.frame);
        packet.emit(hdr.flow);
    }
}

V1Switch(FlowParser(), NoVerify(), Choose(), NoEgress(), NoUpdate(), MarkDeparser()) main;
