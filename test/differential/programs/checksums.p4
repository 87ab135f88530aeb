// SPDX-License-Identifier: Apache-2.0
// Checksums verified and updated: of a header with options, over the payload, under conditions, by hashes other than
// csum16, and with headers that are not there.

#include "shell.p4"

header outer_t {
    bit<4>  version;
    bit<4>  words;
    bit<8>  ttl;
    bit<16> sum;
    bit<32> source;
    bit<32> target;
}

header more_t {
    bit<20> odd;
    bit<4>  next;
    bit<16> crc;
}

header inner_t {
    bit<16> source_port;
    bit<16> target_port;
    bit<16> length;
    bit<16> sum;
}

header check_t {
    bit<8>  failed;
    bit<16> before;
}

struct headers_t {
    check_t check;
    frame_t frame;
    outer_t outer;
    more_t  more;
    inner_t inner;
}

struct metadata_t {
    bit<1> keep_sum;
}

parser SumParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.outer);
        transition select(hdr.outer.words) {
            3: parse_more;
            4: parse_inner;
            5: parse_more;
            default: accept;
        }
    }
    state parse_more {
        packet.extract(hdr.more);
        transition select(hdr.more.next) {
            1: parse_inner;
            default: accept;
        }
    }
    state parse_inner {
        packet.extract(hdr.inner);
        transition accept;
    }
}

control Verify(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.outer.isValid() && hdr.outer.version == 4,
            { hdr.outer.version, hdr.outer.words, hdr.outer.ttl, hdr.outer.source, hdr.outer.target },
            hdr.outer.sum, HashAlgorithm.csum16);
        verify_checksum(hdr.more.isValid() && hdr.more.next > 2,
            { hdr.more.odd, hdr.more.next }, hdr.more.crc, HashAlgorithm.crc16);
        verify_checksum_with_payload(hdr.inner.isValid() && hdr.inner.length == 77,
            { hdr.outer.source, hdr.outer.target, hdr.inner.source_port, hdr.inner.target_port, hdr.inner.length },
            hdr.inner.sum, HashAlgorithm.csum16);
    }
}

control Change(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action set_target(bit<32> target) { hdr.outer.target = target; }
    action remove_more() { hdr.more.setInvalid(); }
    action add_inner(bit<16> port) {
        hdr.inner.setValid();
        hdr.inner.source_port = port;
        hdr.inner.target_port = 53;
        hdr.inner.length = (bit<16>)standard.packet_length;
    }
    action keep() { meta.keep_sum = 1; }
    table change {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = { set_target; remove_more; add_inner; keep; NoAction; }
        default_action = NoAction();
        const entries = {
            1 : set_target(0x0a000001);
            2 : remove_more();
            3 : add_inner(0x1234);
            4 : keep();
        }
    }
    table rewrite {
        key = { hdr.outer.target : lpm @name("target"); }
        actions = { set_target; add_inner; NoAction; }
        size = 32;
    }
    apply {
        FORWARD(hdr.frame)
        if (!hdr.outer.isValid()) {
            return;
        }
        hdr.check.setValid();
        hdr.check.failed = (bit<8>)standard.checksum_error;
        hdr.check.before = hdr.outer.sum;
        change.apply();
        rewrite.apply();
    }
}

NO_EGRESS

control Update(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.outer.isValid() && meta.keep_sum == 0,
            { hdr.outer.version, hdr.outer.words, hdr.outer.ttl, hdr.outer.source, hdr.outer.target },
            hdr.outer.sum, HashAlgorithm.csum16);
        update_checksum(hdr.more.isValid(), { hdr.more.odd, hdr.more.next }, hdr.more.crc, HashAlgorithm.crc16);
        // Of the sums updated above, in this order.
        update_checksum_with_payload(hdr.inner.isValid(),
            { hdr.outer.source, hdr.outer.target, hdr.outer.sum, 8w0, hdr.outer.ttl, hdr.more.odd, hdr.more.next,
              hdr.inner.source_port, hdr.inner.target_port, hdr.inner.length },
            hdr.inner.sum, HashAlgorithm.csum16);
    }
}

control SumDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(SumParser(), Verify(), Change(), NoEgress(), Update(), SumDeparser()) main;
