// SPDX-License-Identifier: Apache-2.0
//
//   server ──> return_path ──hit──> client, as the vip
//                  └─miss──> not a backend
//
// An ICMP error about a flow to a backend (from the backend, or from a router before it) becomes one about the vip: its
// flow is what it quotes, seen from the other end, so its source is the backend here too.

control SwitchReturnPath(in headers_t hdr, inout metadata_t meta) {
    action as_vip(ipv4_address_t address, l4_port_t port) {
        meta.rewritten_address = address;
        meta.rewritten_port = port;
        meta.forwarding = FORWARDING_RETURN;
    }

    action as_vip_ipv6(ipv6_address_t address, l4_port_t port) {
        meta.rewritten_address_ipv6 = address;
        meta.rewritten_port = port;
        meta.forwarding = FORWARDING_RETURN;
    }

    action not_a_backend() {}

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

    table return_path_ipv6 {
        key = {
            meta.flow_ipv6.source_address : exact @name("address");
            meta.flow.protocol            : exact @name("protocol");
            meta.flow.source_port         : exact @name("port");
        }
        actions = { as_vip_ipv6; @defaultonly not_a_backend; }
        const default_action = not_a_backend();
        size = BACKEND_ROWS;
    }

    apply {
        if (hdr.ipv4.isValid()) {
            return_path.apply();
        } else {
            return_path_ipv6.apply();
        }
    }
}
