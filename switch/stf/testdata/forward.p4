// SPDX-License-Identifier: Apache-2.0
// One table of each kind an STF file can fill, and everything else its commands speak of.
#include <core.p4>
#include <v1model.p4>

header frame_t { bit<8> kind; bit<32> target; bit<8> label; bit<16> trace; }
struct headers_t { frame_t frame; }
struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start { packet.extract(hdr.frame); transition accept; }
}

control Verify(inout headers_t hdr, inout metadata_t meta) { apply { } }

control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(4, CounterType.packets_and_bytes) arrivals;
    direct_counter(CounterType.packets_and_bytes) route_hits;
    register<bit<16>>(4) traces;

    action drop() { mark_to_drop(standard); }
    action forward(bit<9> port) { standard.egress_spec = port; }
    action mark(bit<16> trace) { hdr.frame.trace = trace; }
    action replicate(bit<16> group) { standard.mcast_grp = group; }
    action mirror(bit<32> session) { clone(CloneType.I2E, session); mark_to_drop(standard); }
    action swap_trace(bit<32> cell) {
        bit<16> old;
        traces.read(old, cell);
        traces.write(cell, hdr.frame.trace);
        hdr.frame.trace = old;
    }

    table kinds {
        key = { hdr.frame.kind: exact @name("kind"); }
        actions = { NoAction; drop; replicate; mirror; swap_trace; }
        default_action = NoAction();
        size = 8;
    }
    table routes {
        key = { hdr.frame.target: lpm; }
        actions = { drop; forward; }
        default_action = drop();
        counters = route_hits;
        size = 4;
    }
    table labels {
        key = { hdr.frame.label: ternary; hdr.frame.isValid(): ternary; standard.ingress_port: ternary; }
        actions = { NoAction; mark; }
        default_action = NoAction();
    }
    table constant {
        key = { hdr.frame.kind: exact; }
        actions = { NoAction; }
        const default_action = NoAction();
        const entries = { 0xff: NoAction(); }
    }

    apply {
        arrivals.count((bit<32>)standard.ingress_port & 3);
        routes.apply();
        labels.apply();
        kinds.apply();
        constant.apply();
    }
}

control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply { if (standard.egress_rid != 0) { hdr.frame.trace = standard.egress_rid; } }
}

control Update(inout headers_t hdr, inout metadata_t meta) { apply { } }
control Deparse(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(Parse(), Verify(), SwitchIngress(), SwitchEgress(), Update(), Deparse()) main;
