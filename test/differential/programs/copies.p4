// SPDX-License-Identifier: Apache-2.0
// Packets that become several, or come again: clones from ingress and egress, resubmit, recirculate, multicast, with and
// without fields that are kept; truncation; drops and what they cancel. The kind is a set of wishes, one bit each, and
// `trace` tells what each pass saw. A packet comes again at most three times.

#include "shell.p4"

header order_t {
    bit<16> wishes;
    bit<8>  session;
    bit<16> group;
    bit<8>  cut;
    bit<4>  passes;
    bit<4>  clones;
}

header trace_t {
    bit<9>  ingress_port;
    bit<9>  egress_port;
    bit<6>  pad;
    bit<8>  ingress_type;
    bit<8>  egress_type;
    bit<16> rid;
    bit<16> ingress_length;
    bit<16> egress_length;
    bit<16> kept;
    bit<16> lost;
    bit<9>  egress_spec;
    bit<7>  more_pad;
}

struct headers_t {
    frame_t frame;
    trace_t trace;
    order_t order;
}

struct metadata_t {
    @field_list(1, 2)
    bit<16> kept;
    @field_list(2)
    bit<8> ingress_type;
    bit<16> lost;
    @field_list(3)
    bit<9> port;
    @field_list(3)
    bit<100> wide;
}

parser OrderParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        transition select(hdr.frame.kind) {
            0x7e: parse_traced;
            default: parse_order;
        }
    }
    state parse_traced {
        packet.extract(hdr.trace);
        transition parse_order;
    }
    state parse_order {
        packet.extract(hdr.order);
        transition accept;
    }
}

NO_CHECKSUMS

#define WISH(n) hdr.order.wishes[n:n] == 1

control Ask(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action drop() { mark_to_drop(standard); }
    action drop_and_revive(bit<9> port) {
        mark_to_drop(standard);
        standard.egress_spec = port & 7;
    }
    // From 32768 on simple_switch_grpc has its clone sessions.
    action multicast(bit<16> group) { standard.mcast_grp = group & 0x7fff; }
    action pass_by(inout standard_metadata_t copy) { mark_to_drop(copy); }
    table by_group {
        key = { hdr.order.group : exact @name("group"); }
        actions = { drop; drop_and_revive; multicast; NoAction; }
        size = 32;
    }

    apply {
        FORWARD(hdr.frame)
        if (!hdr.order.isValid()) {
            return;
        }
        meta.ingress_type = (bit<8>)standard.instance_type;
        if (meta.kept == 0) {
            meta.kept = (bit<16>)standard.ingress_port + 0x100;
        } else {
            meta.kept = meta.kept + 1;
        }
        meta.lost = 0x5555;
        meta.port = standard.egress_spec;
        meta.wide = 100w0x123456789abcdef0123456789 ^ (bit<100>)hdr.order.group;
        hdr.trace.setValid();
        hdr.frame.kind = 0x7e;
        hdr.trace.ingress_port = standard.ingress_port;
        hdr.trace.ingress_length = (bit<16>)standard.packet_length;

        if (WISH(0)) {
            if (WISH(1)) { clone_preserving_field_list(CloneType.I2E, (bit<32>)hdr.order.session, 1); }
            else if (WISH(2)) { clone_preserving_field_list(CloneType.I2E, (bit<32>)hdr.order.session, 2); }
            else { clone(CloneType.I2E, (bit<32>)hdr.order.session); }
        }
        if (WISH(3)) {
            // The bytes come again as they were: only the type of the packet tells the second pass.
            if (standard.instance_type != 6) {
                if (WISH(4)) { resubmit_preserving_field_list(2); } else { resubmit_preserving_field_list(0); }
            }
        }
        if (WISH(5)) { standard.mcast_grp = hdr.order.group & 0x7fff; }
        if (WISH(6)) { truncate((bit<32>)hdr.order.cut + 14); }
        by_group.apply();
        if (WISH(7)) { pass_by(standard); }
        if (WISH(8)) { standard.egress_spec = 511; }
        if (WISH(9)) { drop(); exit; }
    }
}

control Trace(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (!hdr.order.isValid()) {
            return;
        }
        if (!hdr.trace.isValid()) {
            hdr.trace.setValid();
            hdr.frame.kind = 0x7e;
        }
        hdr.trace.egress_port = standard.egress_port;
        hdr.trace.ingress_type = meta.ingress_type;
        hdr.trace.egress_type = (bit<8>)standard.instance_type;
        hdr.trace.rid = standard.egress_rid;
        hdr.trace.egress_length = (bit<16>)standard.packet_length;
        hdr.trace.kept = meta.kept;
        hdr.trace.lost = meta.lost ^ (bit<16>)meta.port ^ meta.wide[99:84];
        hdr.trace.egress_spec = standard.egress_spec;
        if (WISH(10) && hdr.order.clones < 2 && standard.instance_type != 2) {
            hdr.order.clones = hdr.order.clones + 1;
            if (WISH(1)) { clone_preserving_field_list(CloneType.E2E, (bit<32>)hdr.order.session, 1); }
            else { clone_preserving_field_list(CloneType.E2E, (bit<32>)hdr.order.session, 3); }
        }
        // Of the copies of a group only those at one port, or there would be hundreds.
        if (WISH(11) && hdr.order.passes < 3 && standard.instance_type != 1 && standard.instance_type != 2
            && (standard.instance_type != 5 || standard.egress_port == 3)) {
            hdr.order.passes = hdr.order.passes + 1;
            if (WISH(12)) { recirculate_preserving_field_list(1); } else { recirculate_preserving_field_list(0); }
        }
        if (WISH(13)) { truncate(20); }
        if (WISH(14) && standard.egress_port == 3) { mark_to_drop(standard); }
        if (WISH(15)) { standard.egress_spec = 6; }
    }
}

control OrderDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(OrderParser(), NoVerify(), Ask(), Trace(), NoUpdate(), OrderDeparser()) main;
