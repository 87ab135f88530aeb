// SPDX-License-Identifier: Apache-2.0
//
//   client ──> vip ──> backend ──nat──> server          server ──> return_path ──> client

control SwitchBackend(inout headers_t hdr, inout metadata_t meta) {
    SwitchCounter(BACKENDS) backend_traffic;

    // The backend's own address and port take the place of the vip's.
    action nat(ipv4_address_t address, l4_port_t port) {
        hdr.ipv4.target_address = address;
        meta.rewritten_port = port;
        meta.is_rewritten = 1;
    }

    action no_backend() {
        meta.drop_reason = DROP_NO_BACKEND;
    }

    table backend {
        key = {
            meta.backend : exact @name("backend");
        }
        actions = { nat; @defaultonly no_backend; }
        const default_action = no_backend();
        size = BACKEND_ROWS;
    }

    apply {
        if (backend.apply().hit) {
            backend_traffic.apply((bit<32>)meta.backend);
            if (hdr.tcp.isValid()) {
                hdr.tcp.target_port = meta.rewritten_port;
            } else {
                hdr.udp.target_port = meta.rewritten_port;
            }
        }
    }
}

control SwitchReturnPath(inout headers_t hdr, inout metadata_t meta) {
    action as_vip(ipv4_address_t address, l4_port_t port) {
        hdr.ipv4.source_address = address;
        meta.rewritten_port = port;
        meta.is_rewritten = 1;
        meta.decision = DECISION_RETURN;
    }

    action not_a_backend() {
        meta.decision = DECISION_ROUTED;
    }

    table return_path {
        key = {
            meta.flow.source_address : exact @name("address");
            meta.flow.protocol       : exact @name("protocol");
            meta.flow.source_port    : exact @name("port");
        }
        actions = { as_vip; @defaultonly not_a_backend; }
        const default_action = not_a_backend();
        size = BACKEND_ROWS;
    }

    apply {
        if (return_path.apply().hit) {
            if (hdr.tcp.isValid()) {
                hdr.tcp.source_port = meta.rewritten_port;
            } else {
                hdr.udp.source_port = meta.rewritten_port;
            }
        }
    }
}
