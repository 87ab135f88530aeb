// SPDX-License-Identifier: Apache-2.0
// Header stacks: next, last and lastIndex in the parser; push, pop, copies and elements chosen at run time in the control;
// loops over elements.

#include "shell.p4"

header label_t {
    bit<20> value;
    bit<3>  class;
    bit<1>  bottom;
    bit<8>  ttl;
}

header tag_t {
    bit<3>  priority;
    bit<1>  more;
    bit<12> id;
}

header note_t {
    bit<8>  last_index;
    bit<20> last_value;
    bit<4>  count;
    bit<32> sum;
    bit<32> error_code;
}

struct headers_t {
    frame_t    frame;
    tag_t[3]   tags;
    label_t[5] labels;
    note_t     note;
}

struct metadata_t {
    bit<8>  last_index;
    bit<20> last_value;
    bit<8>  index;
}

parser StackParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        transition select(hdr.frame.kind[7:7]) {
            1: parse_tag;
            default: parse_label;
        }
    }
    state parse_tag {
        packet.extract(hdr.tags.next);
        transition select(hdr.tags.last.more) {
            1: parse_tag;
            default: parse_label;
        }
    }
    state parse_label {
        packet.extract(hdr.labels.next);
        meta.last_index = (bit<8>)hdr.labels.lastIndex;
        meta.last_value = hdr.labels.last.value;
        transition select(hdr.labels.last.bottom, hdr.labels.last.ttl) {
            (0, 1 &&& 1): parse_label;
            (0, 0 &&& 1): parse_label;
            default: accept;
        }
    }
}

NO_CHECKSUMS
NO_EGRESS

control Restack(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action push_one(bit<20> value, bit<3> class) {
        hdr.labels.push_front(1);
        hdr.labels[0].setValid();
        hdr.labels[0] = { value, class, 0, 64 };
    }
    action push_three() {
        hdr.labels.push_front(3);
        hdr.labels[1].setValid();
        hdr.labels[1].value = 0xabcde;
    }
    action push_many() { hdr.labels.push_front(7); }
    action pop_one() { hdr.labels.pop_front(1); }
    action pop_two() { hdr.labels.pop_front(2); hdr.tags.pop_front(1); }
    action pop_many() { hdr.labels.pop_front(9); }
    action remove_middle() { hdr.labels[2].setInvalid(); hdr.tags[1].setInvalid(); }
    action swap_ends() {
        label_t kept = hdr.labels[0];
        hdr.labels[0] = hdr.labels[4];
        hdr.labels[4] = kept;
    }
    action copy_down() { hdr.labels[1] = hdr.labels[0]; hdr.labels[3] = hdr.labels[2]; }
    action validate_all() {
        hdr.labels[0].setValid();
        hdr.labels[4].setValid();
        hdr.labels[4].ttl = 9;
        hdr.tags[2].setValid();
        hdr.tags[2].id = 0xfff;
    }
    table reshape {
        key = { hdr.frame.kind & 0x1f : exact @name("kind"); }
        actions = {
            push_one; push_three; push_many; pop_one; pop_two; pop_many; remove_middle; swap_ends; copy_down;
            validate_all; NoAction;
        }
        const entries = {
            1 : push_one(0x12345, 5);
            2 : push_three();
            3 : push_many();
            4 : pop_one();
            5 : pop_two();
            6 : pop_many();
            7 : remove_middle();
            8 : swap_ends();
            9 : copy_down();
            10 : validate_all();
        }
        const default_action = NoAction();
    }
    table reshape_more {
        key = { hdr.labels[0].value : exact @name("value"); hdr.labels[1].isValid() : exact @name("has_second"); }
        actions = { push_one; pop_one; remove_middle; copy_down; NoAction; }
        size = 32;
    }

    apply {
        FORWARD(hdr.frame)
        reshape.apply();
        if (hdr.labels[0].isValid()) {
            reshape_more.apply();
        }
        hdr.note.setValid();
        hdr.note.last_index = meta.last_index;
        hdr.note.last_value = meta.last_value;
        if (standard.parser_error == error.StackOutOfBounds) {
            hdr.note.error_code = 1;
        } else if (standard.parser_error == error.PacketTooShort) {
            hdr.note.error_code = 2;
        } else if (standard.parser_error != error.NoError) {
            hdr.note.error_code = 3;
        }
        if (hdr.labels[0].isValid()) { hdr.note.count = hdr.note.count + 1; hdr.note.sum = (bit<32>)hdr.labels[0].value; }
        if (hdr.labels[1].isValid()) { hdr.note.count = hdr.note.count + 1; }
        if (hdr.labels[2].isValid()) { hdr.note.count = hdr.note.count + 1; }
        if (hdr.labels[3].isValid()) { hdr.note.count = hdr.note.count + 1; }
        if (hdr.labels[4].isValid()) { hdr.note.count = hdr.note.count + 1; }
        // Elements chosen at run time, only where all of them are valid.
        if (hdr.note.count == 5) {
            meta.index = (bit<8>)hdr.frame.port[1:0];
            hdr.note.sum = (bit<32>)hdr.labels[meta.index].value;
            hdr.labels[meta.index + 1].ttl = hdr.labels[meta.index].ttl - 1;
            hdr.labels[meta.index].value = hdr.labels[meta.index].value + 0x11;
            for (bit<8> i = 0; i < 4; i = i + 1) {
                hdr.note.sum = hdr.note.sum + (bit<32>)hdr.labels[i].ttl;
            }
        }
        for (bit<8> left = (bit<8>)hdr.note.count; left > 0; left = left - 1) {
            hdr.note.sum = hdr.note.sum + (bit<32>)left;
            if (hdr.note.sum[0:0] == 1) {
                continue;
            }
            if (left == 2) {
                break;
            }
            hdr.note.sum = hdr.note.sum << 1;
        }
    }
}

control StackDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.note);
        packet.emit(hdr.frame);
        packet.emit(hdr.tags);
        packet.emit(hdr.labels);
    }
}

V1Switch(StackParser(), NoVerify(), Restack(), NoEgress(), NoUpdate(), StackDeparser()) main;
