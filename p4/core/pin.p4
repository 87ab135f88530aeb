// SPDX-License-Identifier: Apache-2.0
//
//   pool, source ──> pin ──hit──> backend
//
// Pool, source address and source port say as much as the 5-tuple: the vip has matched the rest.

control SwitchPin(in headers_t hdr, inout metadata_t meta, out bool is_pinned) {
    action pin_to(backend_id_t backend) {
        meta.pinned = backend;
    }

    action not_pinned() {}

    table pin {
        key = {
            meta.pool                : exact @name("pool");
            meta.flow.source_address : exact @name("source_address");
            meta.flow.source_port    : exact @name("source_port");
        }
        actions = { pin_to; @defaultonly not_pinned; }
        const default_action = not_pinned();
        size = PIN_ROWS;
        SWITCH_IDLE_TIMEOUT
    }

    table pin_ipv6 {
        key = {
            meta.pool                     : exact @name("pool");
            meta.flow_ipv6.source_address : exact @name("source_address");
            meta.flow.source_port         : exact @name("source_port");
        }
        actions = { pin_to; @defaultonly not_pinned; }
        const default_action = not_pinned();
        size = PIN_ROWS;
        SWITCH_IDLE_TIMEOUT
    }

    apply {
        if (hdr.ipv4.isValid()) {
            is_pinned = pin.apply().hit;
        } else {
            is_pinned = pin_ipv6.apply().hit;
        }
    }
}
