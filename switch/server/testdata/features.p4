// SPDX-License-Identifier: Apache-2.0
// One table of every kind the P4Runtime server has rules for. Compile with:
//   p4c-bm2-ss --std p4-16 -o features.json --p4runtime-files features.p4info.txtpb features.p4

#include <core.p4>
#include <v1model.p4>

const bit<9> CPU_PORT = 510;

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<4> reason;
    @padding bit<3> _pad;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> _pad;
}

header frame_t {
    bit<48> target;
    bit<48> source;
    bit<16> kind;
}

struct headers_t {
    packet_in_t  packet_in;
    packet_out_t packet_out;
    frame_t      frame;
}

struct metadata_t {
    bit<4> reason;
}

struct seen_t {
    bit<48> source;
    bit<9>  port;
}

parser TestParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        transition select(standard.ingress_port) {
            CPU_PORT: parse_packet_out;
            default:  parse_frame;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_frame;
    }

    state parse_frame {
        packet.extract(hdr.frame);
        transition accept;
    }
}

control TestVerify(inout headers_t hdr, inout metadata_t meta) { apply {} }
control TestCompute(inout headers_t hdr, inout metadata_t meta) { apply {} }

control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(8, CounterType.packets_and_bytes) by_port;
    counter(4, CounterType.packets) by_kind;
    direct_counter(CounterType.packets_and_bytes) hits;
    register<bit<32>>(16) cells;

    action drop() { mark_to_drop(standard); }
    action forward(bit<9> port) { standard.egress_spec = port; }
    action rewrite(bit<48> target, bit<48> source, bit<9> port) {
        hdr.frame.target = target;
        hdr.frame.source = source;
        standard.egress_spec = port;
    }
    action to_controller(bit<4> reason) {
        meta.reason = reason;
        standard.egress_spec = CPU_PORT;
    }
    action learn() { digest<seen_t>(1, { hdr.frame.source, standard.ingress_port }); }

    table exact_small {
        key = {
            hdr.frame.target      : exact @name("target");
            standard.ingress_port : exact @name("port");
        }
        actions = { forward; rewrite; to_controller; @tableonly drop; @defaultonly NoAction; }
        default_action = NoAction();
        size = 4;
        counters = hits;
    }

    table source_timeout {
        key = { hdr.frame.source : exact @name("source"); }
        actions = { NoAction; learn; }
        default_action = learn();
        size = 1024;
        support_timeout = true;
    }

    table routes {
        key = { hdr.frame.target : lpm @name("target"); }
        actions = { forward; drop; }
        const default_action = drop();
        size = 131072;
    }

    table rules {
        key = {
            hdr.frame.source      : ternary @name("source");
            hdr.frame.kind        : range @name("kind");
            standard.ingress_port : optional @name("port");
        }
        actions = { forward; drop; NoAction; }
        default_action = NoAction();
        size = 128;
    }

    table fixed {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { NoAction; drop; }
        default_action = NoAction();
        const entries = {
            0x0800 : NoAction();
            0xdead : drop();
        }
    }

    table keyless {
        actions = { forward; NoAction; }
        default_action = NoAction();
    }

    apply {
        by_port.count((bit<32>)standard.ingress_port & 7);
        by_kind.count((bit<32>)hdr.frame.kind & 3);
        cells.write(0, (bit<32>)hdr.frame.kind);
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            routes.apply();
            keyless.apply();
            rules.apply();
            exact_small.apply();
            source_timeout.apply();
            fixed.apply();
        }
    }
}

control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (standard.egress_port == CPU_PORT) {
            hdr.packet_in.setValid();
            hdr.packet_in.ingress_port = standard.ingress_port;
            hdr.packet_in.reason = meta.reason;
        }
    }
}

control TestDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.frame);
    }
}

V1Switch(TestParser(), TestVerify(), TestIngress(), TestEgress(), TestCompute(), TestDeparser()) main;
