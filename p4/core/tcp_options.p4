// SPDX-License-Identifier: Apache-2.0
// States of the parser: the options of a TCP header, word by word, in search of a server's name (kind 0xb7, length 6).
//
//   word 0            word 1            word 2
//   kind length ....  .... kind length  .... kind ...        option_skip: octets from a word's start to the next option
//    └── option_skip = length ──┘
//
// Included by the parser. Reading ends with the name, with the list, or with an option that cannot be.

    state tcp_option_word {
        transition select(meta.option_words) {
            0: accept;
            default: parse_tcp_option_word;
        }
    }

    state parse_tcp_option_word {
        packet.extract(hdr.tcp_options.next);
        meta.option_words = meta.option_words - 1;
        transition select(meta.option_skip) {
            0: tcp_option_at0;
            1: tcp_option_at1;
            2: tcp_option_at2;
            3: tcp_option_at3;
            default: skip_tcp_option_word;
        }
    }

    state skip_tcp_option_word {
        meta.option_skip = meta.option_skip - 4;
        transition tcp_option_word;
    }

    // Kind 0 ends the list, kind 1 is one octet, all others say their length.
    state tcp_option_at0 {
        meta.option_skip = hdr.tcp_options.last.octet1 - 4;
        transition select(hdr.tcp_options.last.octet0, hdr.tcp_options.last.octet1) {
            (0, _): accept;
            (1, _): tcp_option_at1;
            (TCP_OPTION_SERVER, 6): server_option_at0;
            (_, 0 &&& 0xfe): accept;
            (_, 2): tcp_option_at2;
            (_, 3): tcp_option_at3;
            default: tcp_option_word;
        }
    }

    state tcp_option_at1 {
        meta.option_skip = hdr.tcp_options.last.octet2 - 3;
        transition select(hdr.tcp_options.last.octet1, hdr.tcp_options.last.octet2) {
            (0, _): accept;
            (1, _): tcp_option_at2;
            (TCP_OPTION_SERVER, 6): server_option_at1;
            (_, 0 &&& 0xfe): accept;
            (_, 2): tcp_option_at3;
            default: tcp_option_word;
        }
    }

    state tcp_option_at2 {
        meta.option_skip = hdr.tcp_options.last.octet3 - 2;
        transition select(hdr.tcp_options.last.octet2, hdr.tcp_options.last.octet3) {
            (0, _): accept;
            (1, _): tcp_option_at3;
            (TCP_OPTION_SERVER, 6): server_option_at2;
            (_, 0 &&& 0xfe): accept;
            default: tcp_option_word;
        }
    }

    // The length is in the next word, if there is one.
    state tcp_option_at3 {
        meta.option_skip = 0;
        transition select(hdr.tcp_options.last.octet3, meta.option_words) {
            (0, _): accept;
            (1, _): tcp_option_word;
            (_, 0): accept;
            default: tcp_option_across;
        }
    }

    state tcp_option_across {
        meta.option_skip = packet.lookahead<bit<8>>() - 1;
        transition select(hdr.tcp_options.last.octet3, packet.lookahead<bit<8>>()) {
            (TCP_OPTION_SERVER, 6): server_option_across;
            (_, 0 &&& 0xfe): accept;
            default: tcp_option_word;
        }
    }

    state server_option_at0 {
        transition select(meta.option_words) {
            0: accept;
            default: read_server_option_at0;
        }
    }

    state read_server_option_at0 {
        meta.server_option = hdr.tcp_options.last.octet2 ++ hdr.tcp_options.last.octet3
            ++ packet.lookahead<bit<16>>();
        meta.has_server_option = 1;
        transition accept;
    }

    state server_option_at1 {
        transition select(meta.option_words) {
            0: accept;
            default: read_server_option_at1;
        }
    }

    state read_server_option_at1 {
        meta.server_option = hdr.tcp_options.last.octet3 ++ packet.lookahead<bit<24>>();
        meta.has_server_option = 1;
        transition accept;
    }

    state server_option_at2 {
        transition select(meta.option_words) {
            0: accept;
            default: read_server_option_at2;
        }
    }

    state read_server_option_at2 {
        meta.server_option = packet.lookahead<bit<32>>();
        meta.has_server_option = 1;
        transition accept;
    }

    // Behind its length, which is the first octet of the next word, and on into the word after that.
    state server_option_across {
        transition select(meta.option_words) {
            0: accept;
            1: accept;
            default: read_server_option_across;
        }
    }

    state read_server_option_across {
        meta.server_option = packet.lookahead<bit<40>>()[31:0];
        meta.has_server_option = 1;
        transition accept;
    }
