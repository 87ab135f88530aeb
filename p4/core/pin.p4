// SPDX-License-Identifier: Apache-2.0
//
//   pool, source ──> pin ──hit──> backend
//
// Pool, source address and source port say as much as the 5-tuple: the vip has matched the rest.

control SwitchPin(inout metadata_t meta, out bool is_pinned) {
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

    apply {
        is_pinned = pin.apply().hit;
    }
}
