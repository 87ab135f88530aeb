// SPDX-License-Identifier: Apache-2.0
// Checksums follow what changed (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')), so damage done elsewhere stays visible.
// csum16 is that outer ~ of a ones' complement sum.

control SwitchChecksum(inout headers_t hdr, in metadata_t meta) {
    apply {
        if (hdr.ipv4.isValid()) {
            ipv4_address_t not_source = ~meta.flow.source_address;
            ipv4_address_t not_target = ~meta.flow.target_address;
            bit<16> ttl_word = hdr.ipv4.ttl ++ 8w0;
            bit<16> not_ttl_word = ~(meta.arrived_ttl ++ 8w0);
            bit<16> not_checksum = ~hdr.ipv4.checksum;
            hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0,
                 { not_checksum, not_source, not_target, not_ttl_word,
                   hdr.ipv4.source_address, hdr.ipv4.target_address, ttl_word },
                 32w0x10000);

            if (meta.is_rewritten == 1) {
                l4_port_t not_source_port = ~meta.flow.source_port;
                l4_port_t not_target_port = ~meta.flow.target_port;
                if (hdr.tcp.isValid()) {
                    not_checksum = ~hdr.tcp.checksum;
                    hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
                         { not_checksum, not_source, not_target, not_source_port, not_target_port,
                           hdr.ipv4.source_address, hdr.ipv4.target_address,
                           hdr.tcp.source_port, hdr.tcp.target_port },
                         32w0x10000);
                } else if (hdr.udp.checksum != 0) {
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
            }
        }
    }
}
