// SPDX-License-Identifier: Apache-2.0
// The checksums of a packet that was forwarded: of its IPv4 header always, of TCP, UDP or ICMP where NAT changed what they cover.
//
//   an ICMP error about a flow:  IP ─ ICMP ─ [ quoted IP ─ quoted ports, UDP checksum ]
//   what is quoted is put right from the inside out; then the ICMP checksum follows all of it

control SwitchForwardedIpv4Checksum(inout headers_t hdr, in metadata_t meta) {
    apply {
        bit<16> ttl_word = hdr.ipv4.ttl ++ 8w0;
        bit<16> not_ttl_word = ~(meta.ttl ++ 8w0);
        bit<16> not_checksum = ~hdr.ipv4.checksum;
        ipv4_address_t not_source = ~meta.flow.source_address;
        ipv4_address_t not_target = ~meta.flow.target_address;
        l4_port_t not_source_port = ~meta.flow.source_port;
        l4_port_t not_target_port = ~meta.flow.target_port;
        bool is_rewritten = meta.forwarding == FORWARDING_NAT || meta.forwarding == FORWARDING_RETURN;
        if (hdr.icmp.isValid() && is_rewritten) {
            ipv4_address_t not_arrived_source = ~meta.arrived_source;
            hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0,
                 { not_checksum, not_arrived_source, not_target, not_ttl_word,
                   hdr.ipv4.source_address, hdr.ipv4.target_address, ttl_word },
                 32w0x10000);

            // The quoted header's own checksum takes up its addresses, so the ICMP checksum does not see these.
            not_checksum = ~hdr.quoted_ipv4.checksum;
            hash(hdr.quoted_ipv4.checksum, HashAlgorithm.csum16, 16w0,
                 { not_checksum, not_source, not_target,
                   hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address },
                 32w0x10000);
            bit<16> not_quoted_fourth = ~hdr.quoted_l4.fourth;
            if (hdr.quoted_ipv4.protocol == PROTOCOL_UDP && hdr.quoted_l4.fourth != 0) {
                hash(hdr.quoted_l4.fourth, HashAlgorithm.csum16, 16w0,
                     { not_quoted_fourth, not_source, not_target, not_source_port, not_target_port,
                       hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address,
                       hdr.quoted_l4.source_port, hdr.quoted_l4.target_port },
                     32w0x10000);
                if (hdr.quoted_l4.fourth == 0) {
                    hdr.quoted_l4.fourth = 0xffff;
                }
            }
            bit<16> not_quoted_checksum = not_checksum;
            not_checksum = ~hdr.icmp.checksum;
            hash(hdr.icmp.checksum, HashAlgorithm.csum16, 16w0,
                 { not_checksum, not_quoted_checksum, not_source, not_target, not_source_port, not_target_port,
                   not_quoted_fourth, hdr.quoted_ipv4.checksum,
                   hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address,
                   hdr.quoted_l4.source_port, hdr.quoted_l4.target_port, hdr.quoted_l4.fourth },
                 32w0x10000);
        } else if (is_rewritten) {
            hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0,
                 { not_checksum, not_source, not_target, not_ttl_word,
                   hdr.ipv4.source_address, hdr.ipv4.target_address, ttl_word },
                 32w0x10000);
            if (meta.is_by_fragment == 1) {
                // The flow's ports are 0; they were the vip's where there are any, and only the first fragment has a checksum.
                not_target_port = ~meta.arrived_target_port;
                if (hdr.tcp.isValid()) {
                    not_source_port = ~hdr.tcp.source_port;
                } else if (hdr.udp.isValid()) {
                    not_source_port = ~hdr.udp.source_port;
                }
            }
            if (hdr.tcp.isValid()) {
                not_checksum = ~hdr.tcp.checksum;
                hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
                     { not_checksum, not_source, not_target, not_source_port, not_target_port,
                       hdr.ipv4.source_address, hdr.ipv4.target_address,
                       hdr.tcp.source_port, hdr.tcp.target_port },
                     32w0x10000);
            } else if (hdr.udp.isValid() && hdr.udp.checksum != 0) {
                not_checksum = ~hdr.udp.checksum;
                hash(hdr.udp.checksum, HashAlgorithm.csum16, 16w0,
                     { not_checksum, not_source, not_target, not_source_port, not_target_port,
                       hdr.ipv4.source_address, hdr.ipv4.target_address,
                       hdr.udp.source_port, hdr.udp.target_port },
                     32w0x10000);
                // On the wire 0 would say "no checksum".
                if (hdr.udp.checksum == 0) {
                    hdr.udp.checksum = 0xffff;
                }
            }
        } else {
            hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0, { not_checksum, not_ttl_word, ttl_word }, 32w0x10000);
        }
    }
}

control SwitchForwardedIpv6Checksum(inout headers_t hdr, in metadata_t meta) {
    apply {
        bit<16> not_checksum;
        ipv6_address_t not_source = ~meta.flow_ipv6.source_address;
        ipv6_address_t not_target = ~meta.flow_ipv6.target_address;
        l4_port_t not_source_port = ~meta.flow.source_port;
        l4_port_t not_target_port = ~meta.flow.target_port;
        if (meta.forwarding == FORWARDING_NAT_IPV6 || meta.forwarding == FORWARDING_RETURN) {
            if (meta.is_by_fragment == 1) {
                not_target_port = ~meta.arrived_target_port;
                if (hdr.tcp.isValid()) {
                    not_source_port = ~hdr.tcp.source_port;
                } else if (hdr.udp.isValid()) {
                    not_source_port = ~hdr.udp.source_port;
                }
            }
            if (hdr.icmp.isValid()) {
                bit<16> not_quoted_fourth = ~hdr.quoted_l4.fourth;
                if (hdr.quoted_ipv6.next_header == PROTOCOL_UDP) {
                    hash(hdr.quoted_l4.fourth, HashAlgorithm.csum16, 16w0,
                         { not_quoted_fourth, not_source, not_target, not_source_port, not_target_port,
                           hdr.quoted_ipv6.source_address, hdr.quoted_ipv6.target_address,
                           hdr.quoted_l4.source_port, hdr.quoted_l4.target_port },
                         32w0x10000);
                    if (hdr.quoted_l4.fourth == 0) {
                        hdr.quoted_l4.fourth = 0xffff;
                    }
                }
                // ICMPv6 covers the addresses of its own IP header too; the target it was sent to is the flow's.
                ipv6_address_t not_arrived_source = ~meta.arrived_source_ipv6;
                not_checksum = ~hdr.icmp.checksum;
                hash(hdr.icmp.checksum, HashAlgorithm.csum16, 16w0,
                     { not_checksum, not_arrived_source, not_target, hdr.ipv6.source_address, hdr.ipv6.target_address,
                       not_source, not_target, not_source_port, not_target_port, not_quoted_fourth,
                       hdr.quoted_ipv6.source_address, hdr.quoted_ipv6.target_address,
                       hdr.quoted_l4.source_port, hdr.quoted_l4.target_port, hdr.quoted_l4.fourth },
                     32w0x10000);
            } else if (hdr.tcp.isValid()) {
                not_checksum = ~hdr.tcp.checksum;
                hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
                     { not_checksum, not_source, not_target, not_source_port, not_target_port,
                       hdr.ipv6.source_address, hdr.ipv6.target_address,
                       hdr.tcp.source_port, hdr.tcp.target_port },
                     32w0x10000);
            } else if (hdr.udp.isValid()) {
                not_checksum = ~hdr.udp.checksum;
                hash(hdr.udp.checksum, HashAlgorithm.csum16, 16w0,
                     { not_checksum, not_source, not_target, not_source_port, not_target_port,
                       hdr.ipv6.source_address, hdr.ipv6.target_address,
                       hdr.udp.source_port, hdr.udp.target_port },
                     32w0x10000);
                if (hdr.udp.checksum == 0) {
                    hdr.udp.checksum = 0xffff;
                }
            }
        }
    }
}
