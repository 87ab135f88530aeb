// SPDX-License-Identifier: Apache-2.0
// A load balancer in miniature, for tests and measurements of the engine: filter, vip, hash, slot, backend, route.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> target; bit<48> source; bit<16> type; }
header ipv4_t {
    bit<4> version; bit<4> ihl; bit<8> tos; bit<16> length;
    bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum;
    bit<32> source; bit<32> target;
}
header udp_t { bit<16> source; bit<16> target; bit<16> length; bit<16> checksum; }

struct headers_t { ethernet_t ethernet; ipv4_t ipv4; udp_t udp; }
struct metadata_t { bit<12> pool; bit<16> slot; bit<16> backend; bit<32> next_hop; }
struct new_flow_t { bit<32> source; bit<16> port; bit<16> slot; }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) { 0x0800: ipv4; default: accept; }
    }
    state ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.fragment, hdr.ipv4.protocol) { (0, 17): udp; default: accept; }
    }
    state udp { packet.extract(hdr.udp); transition accept; }
}

control Verify(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid(),
            { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.tos, hdr.ipv4.length, hdr.ipv4.id, hdr.ipv4.flags,
              hdr.ipv4.fragment, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.source, hdr.ipv4.target },
            hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    direct_counter(CounterType.packets_and_bytes) filtered;
    counter(16, CounterType.packets_and_bytes) by_pool;
    register<bit<48>>(65536) last_seen;

    action drop() { mark_to_drop(standard); }

    action allow() { filtered.count(); }
    action deny() { filtered.count(); mark_to_drop(standard); exit; }
    table filter {
        key = {
            hdr.ipv4.source: ternary @name("source");
            hdr.udp.target: range @name("port");
            hdr.ipv4.protocol: optional @name("protocol");
        }
        actions = { allow; deny; }
        const default_action = allow();
        counters = filtered;
        size = 64;
    }

    bit<16> slot_mask = 0;
    action serve(bit<12> pool, bit<16> mask) { meta.pool = pool; slot_mask = mask; by_pool.count((bit<32>)pool); }
    table vip {
        key = {
            hdr.ipv4.target: exact @name("address");
            hdr.ipv4.protocol: exact @name("protocol");
            hdr.udp.target: exact @name("port");
        }
        actions = { serve; @defaultonly NoAction; }
        const default_action = NoAction();
        size = 256;
    }

    action set_backend(bit<16> backend) { meta.backend = backend; }
    action new_flow() {
        digest<new_flow_t>(1, { hdr.ipv4.source, hdr.udp.source, meta.slot });
        meta.backend = 0;
    }
    table slot {
        key = { meta.pool: exact @name("pool"); meta.slot: exact @name("slot"); }
        actions = { set_backend; new_flow; }
        default_action = new_flow();
        support_timeout = true;
        size = 65536;
    }

    action nat(bit<32> address, bit<16> port) { hdr.ipv4.target = address; hdr.udp.target = port; }
    table backend {
        key = { meta.backend: exact @name("backend"); }
        actions = { nat; drop; }
        const default_action = drop();
        size = 4096;
    }

    action via(bit<32> next_hop) { meta.next_hop = next_hop; }
    action on_link() { meta.next_hop = hdr.ipv4.target; }
    table route {
        key = { hdr.ipv4.target: lpm @name("prefix"); }
        actions = { via; on_link; drop; }
        const default_action = drop();
        size = 65536;
    }

    action to_neighbour(bit<9> port, bit<48> source, bit<48> target) {
        standard.egress_spec = port;
        hdr.ethernet.source = source;
        hdr.ethernet.target = target;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
    }
    table neighbour {
        key = { meta.next_hop: exact @name("address"); }
        actions = { to_neighbour; drop; }
        const default_action = drop();
        size = 1024;
    }

    apply {
        if (!hdr.ipv4.isValid() || standard.checksum_error == 1 || hdr.ipv4.ttl < 2) {
            drop();
            return;
        }
        filter.apply();
        if (hdr.udp.isValid()) {
            if (vip.apply().hit) {
                bit<32> hash_value;
                hash(hash_value, HashAlgorithm.crc32, (bit<1>)0,
                    { hdr.ipv4.source, hdr.ipv4.target, hdr.ipv4.protocol, hdr.udp.source, hdr.udp.target },
                    (bit<33>)0x100000000);
                meta.slot = hash_value[15:0] & slot_mask;
                last_seen.write((bit<32>)meta.slot, standard.ingress_global_timestamp);
                slot.apply();
                // Routing would revive what a miss has dropped.
                if (!backend.apply().hit) { return; }
            }
        }
        route.apply();
        neighbour.apply();
    }
}

control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply { } }

control Update(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.ipv4.isValid(),
            { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.tos, hdr.ipv4.length, hdr.ipv4.id, hdr.ipv4.flags,
              hdr.ipv4.fragment, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.source, hdr.ipv4.target },
            hdr.ipv4.checksum, HashAlgorithm.csum16);
        update_checksum_with_payload(hdr.udp.isValid() && hdr.udp.checksum != 0,
            { hdr.ipv4.source, hdr.ipv4.target, 8w0, hdr.ipv4.protocol, hdr.udp.length,
              hdr.udp.source, hdr.udp.target, hdr.udp.length },
            hdr.udp.checksum, HashAlgorithm.csum16);
    }
}

control Deparse(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(Parse(), Verify(), SwitchIngress(), SwitchEgress(), Update(), Deparse()) main;
