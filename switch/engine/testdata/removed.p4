// SPDX-License-Identifier: Apache-2.0
// What is seen of a header once it has been removed: by the action that removes it, by a later one, by a table's key, and
// after it has been made valid again.
#include <core.p4>
#include <v1model.p4>

header tag_t { bit<8> value; bit<40> wide; }
header seen_t { bit<8> at_once; bit<8> later; bit<8> key; bit<8> renewed; bit<40> wide; }
struct headers_t { tag_t tag; seen_t seen; }
struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.tag);
        transition accept;
    }
}
control Verify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control TestIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action strip() {
        hdr.seen.setValid();
        hdr.tag.setInvalid();
        hdr.seen.at_once = hdr.tag.value;
        standard.egress_spec = 2;
    }
    action look() {
        hdr.seen.later = hdr.tag.value;
        hdr.seen.wide = hdr.tag.wide;
    }
    action note(bit<8> value) { hdr.seen.key = value; }
    action renew() {
        hdr.tag.setValid();
        hdr.seen.renewed = hdr.tag.value;
        hdr.tag.setInvalid();
    }
    table tags {
        key = { hdr.tag.value : exact; hdr.tag.wide : ternary; }
        actions = { note; }
        const entries = {
            (0, _) : note(1);
            (0x77, _) : note(2);
        }
        const default_action = note(3);
    }
    apply {
        strip();
        look();
        tags.apply();
        renew();
    }
}
control TestEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply { } }
control Update(inout headers_t hdr, inout metadata_t meta) { apply { } }
control Deparse(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.seen);
        packet.emit(hdr.tag);
    }
}

V1Switch(Parse(), Verify(), TestIngress(), TestEgress(), Update(), Deparse()) main;
