// SPDX-License-Identifier: Apache-2.0
// Every way a packet can multiply or come back, chosen by its first byte; and the parser's rarer operations.
#include <core.p4>
#include <v1model.p4>

header order_t { bit<8> what; bit<8> argument; bit<16> trace; }
header label_t { bit<15> value; bit<1> last; }
header options_t { bit<8> length; varbit<64> bytes; }

struct headers_t { order_t order; label_t[3] labels; options_t options; }
struct metadata_t { @field_list(1) bit<16> kept; bit<16> lost; }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.order);
        verify(hdr.order.what != 0xff, error.NoMatch);
        transition select(hdr.order.what) { 0x10: labels; 0x20 &&& 0xf0: options; default: accept; }
    }
    state labels {
        packet.extract(hdr.labels.next);
        transition select(hdr.labels.last.last) { 1: accept; default: labels; }
    }
    state options {
        bit<8> length = packet.lookahead<bit<8>>();
        packet.extract(hdr.options, (bit<32>)length * 8);
        transition accept;
    }
}

control Verify(inout headers_t hdr, inout metadata_t meta) { apply { } }

control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<64>>(4) total;

    action add_to_total(bit<64> amount) {
        bit<64> value;
        total.read(value, (bit<32>)hdr.order.argument);
        if (value > 0xffff_ffff_0000_0000) { value = 0; } else { value = value + amount; }
        total.write((bit<32>)hdr.order.argument, value);
    }
    table adder { actions = { add_to_total; } default_action = add_to_total(1); }

    action mark(bit<16> trace) { hdr.order.trace = trace; }
    table constant {
        key = { hdr.order.argument: ternary @name("argument"); hdr.order.what: range @name("what"); }
        actions = { mark; NoAction; }
        const default_action = NoAction();
        const entries = {
            (0x10 &&& 0xf0, 0x40 .. 0x4f): mark(1);
            (0x11, _): mark(2);
            (_, 0x48): mark(3);
        }
    }

    apply {
        standard.egress_spec = 1;
        hdr.order.trace = hdr.order.trace + 1;
        meta.kept = 0x1234;
        meta.lost = 0x5678;
        if (standard.parser_error != error.NoError) { hdr.order.trace = 0xeeee; }
        if (hdr.order.what == 1) { standard.mcast_grp = (bit<16>)hdr.order.argument; }
        else if (hdr.order.what == 2) { clone_preserving_field_list(CloneType.I2E, 5, 1); mark_to_drop(standard); }
        else if (hdr.order.what == 4 && standard.instance_type == 0) { resubmit_preserving_field_list(1); }
        else if (hdr.order.what == 5) { resubmit_preserving_field_list(0); }
        else if (hdr.order.what == 7) { adder.apply(); }
        else if (hdr.order.what == 8) { truncate((bit<32>)hdr.order.argument); }
        else if (hdr.order.what == 0x10) { hdr.labels.pop_front(1); }
        else if (hdr.order.what[7:4] == 4) { constant.apply(); }
    }
}

control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (standard.instance_type == 1 || standard.instance_type == 2) {
            hdr.order.trace = meta.kept + meta.lost + standard.egress_rid;
        } else if (standard.instance_type == 5) {
            hdr.order.trace = standard.egress_rid;
        } else if (hdr.order.what == 6 && hdr.order.trace < 4) {
            recirculate_preserving_field_list(1);
        } else if (hdr.order.what == 3) {
            clone_preserving_field_list(CloneType.E2E, 5, 1);
        }
    }
}

control Update(inout headers_t hdr, inout metadata_t meta) { apply { } }
control Deparse(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(Parse(), Verify(), SwitchIngress(), SwitchEgress(), Update(), Deparse()) main;
