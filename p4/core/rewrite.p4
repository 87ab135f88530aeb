// SPDX-License-Identifier: Apache-2.0
//
//   NAT      client ─> vip:port        becomes  client ─> backend:port
//   return   backend:port ─> client    becomes  vip:port ─> client
//   an ICMP error about such a flow: its addresses likewise, and those of what it quotes the other way round
//   tunnel   the packet gets an outer header
//
// TTL - 1, MAC addresses. Nothing above this stage has changed the packet, so that an answer can quote it as it came.
// Checksums follow in the shell.

control SwitchRewrite(inout headers_t hdr, inout metadata_t meta) {
    SwitchTunnel() tunnel;

    apply {
        hdr.ethernet.source_mac = meta.source_mac;
        hdr.ethernet.target_mac = meta.target_mac;
        if (hdr.ipv4.isValid()) {
            hdr.ipv4.ttl = meta.ttl - 1;
            if (meta.forwarding == FORWARDING_NAT) {
                hdr.ipv4.target_address = meta.rewritten_address;
                if (hdr.tcp.isValid()) {
                    hdr.tcp.target_port = meta.rewritten_port;
                } else if (hdr.udp.isValid()) {
                    hdr.udp.target_port = meta.rewritten_port;
                } else if (hdr.quoted_l4.isValid()) {
                    meta.arrived_source = hdr.ipv4.source_address;
                    hdr.quoted_ipv4.source_address = meta.rewritten_address;
                    hdr.quoted_l4.source_port = meta.rewritten_port;
                }
            } else if (meta.forwarding == FORWARDING_RETURN) {
                if (hdr.tcp.isValid()) {
                    hdr.tcp.source_port = meta.rewritten_port;
                } else if (hdr.udp.isValid()) {
                    hdr.udp.source_port = meta.rewritten_port;
                } else if (hdr.quoted_l4.isValid()) {
                    meta.arrived_source = hdr.ipv4.source_address;
                    hdr.quoted_ipv4.target_address = meta.rewritten_address;
                    hdr.quoted_l4.target_port = meta.rewritten_port;
                }
                hdr.ipv4.source_address = meta.rewritten_address;
            } else if (meta.forwarding == FORWARDING_NAT_IPV6) {
                meta.drop_reason = DROP_NO_BACKEND;
            }
        } else {
            hdr.ipv6.hop_limit = meta.ttl - 1;
            if (meta.forwarding == FORWARDING_NAT_IPV6) {
                hdr.ipv6.target_address = meta.rewritten_address_ipv6;
                if (hdr.tcp.isValid()) {
                    hdr.tcp.target_port = meta.rewritten_port;
                } else if (hdr.udp.isValid()) {
                    hdr.udp.target_port = meta.rewritten_port;
                } else if (hdr.quoted_l4.isValid()) {
                    meta.arrived_source_ipv6 = hdr.ipv6.source_address;
                    hdr.quoted_ipv6.source_address = meta.rewritten_address_ipv6;
                    hdr.quoted_l4.source_port = meta.rewritten_port;
                }
            } else if (meta.forwarding == FORWARDING_RETURN) {
                if (hdr.tcp.isValid()) {
                    hdr.tcp.source_port = meta.rewritten_port;
                } else if (hdr.udp.isValid()) {
                    hdr.udp.source_port = meta.rewritten_port;
                } else if (hdr.quoted_l4.isValid()) {
                    meta.arrived_source_ipv6 = hdr.ipv6.source_address;
                    hdr.quoted_ipv6.target_address = meta.rewritten_address_ipv6;
                    hdr.quoted_l4.target_port = meta.rewritten_port;
                }
                hdr.ipv6.source_address = meta.rewritten_address_ipv6;
            } else if (meta.forwarding == FORWARDING_NAT) {
                meta.drop_reason = DROP_NO_BACKEND;
            }
        }
        if (meta.overhead != 0) {
            tunnel.apply(hdr, meta);
        }
    }
}
