// SPDX-License-Identifier: Apache-2.0
//
//   QUIC short header: connection id ─┐
//   TCP option 0xb7: server id ───────┴─> server_id ──hit──> a live backend: decided
//                                            │                backend 0: dead, ask the hash
//                                            └─miss──> unknown, ask the hash
//
// The rows' masks say where in the hint the server's name stands. A SYN and a QUIC long header have no server to name
// yet; any other packet without a hint counts as malformed.

control SwitchHint(in headers_t hdr, inout metadata_t meta, out bool is_decided) {
    SwitchCounter(HINT_OUTCOMES) hints;

    hint_t hint = 0;

    action named(backend_id_t backend) {
        meta.backend = backend;
    }

    action unknown() {
        meta.backend = NO_BACKEND;
    }

    table server_id {
        key = {
            meta.pool : exact   @name("pool");
            hint      : ternary @name("hint");
        }
        actions = { named; @defaultonly unknown; }
        const default_action = unknown();
        size = SERVER_ID_ROWS;
    }

    apply {
        bool is_there = false;
        bool is_expected = meta.is_icmp_error == 0;
        is_decided = false;
        if (meta.hint_kind == HINT_QUIC) {
            is_expected = is_expected && meta.is_quic_long == 0;
            if (hdr.quic.isValid()) {
                is_there = true;
                hint = hdr.quic.connection_id;
            }
        } else {
            is_expected = is_expected && meta.is_opening == 0;
            if (meta.has_server_option == 1) {
                is_there = true;
                hint = meta.server_option ++ 32w0;
            }
        }
        if (is_there) {
            hint_outcome_t outcome;
            if (server_id.apply().hit) {
                if (meta.backend == NO_BACKEND) {
                    outcome = HINT_DEAD;
                } else {
                    outcome = HINT_USED;
                    is_decided = true;
                }
            } else {
                outcome = HINT_UNKNOWN;
            }
            hints.apply((bit<32>)outcome);
        } else if (is_expected) {
            hints.apply((bit<32>)HINT_MALFORMED);
        }
    }
}
