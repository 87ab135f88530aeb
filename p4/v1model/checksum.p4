// SPDX-License-Identifier: Apache-2.0
// Checksums follow what changed (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')), so damage done elsewhere stays visible.

control SwitchChecksum(inout headers_t hdr, in metadata_t meta) {
    apply {
        if (hdr.ipv4.isValid()) {
            bit<32> address_change =
                (bit<32>)(~meta.flow.source_address[31:16]) + (bit<32>)(~meta.flow.source_address[15:0])
                + (bit<32>)(~meta.flow.target_address[31:16]) + (bit<32>)(~meta.flow.target_address[15:0])
                + (bit<32>)hdr.ipv4.source_address[31:16] + (bit<32>)hdr.ipv4.source_address[15:0]
                + (bit<32>)hdr.ipv4.target_address[31:16] + (bit<32>)hdr.ipv4.target_address[15:0];

            bit<32> sum = (bit<32>)(~hdr.ipv4.checksum) + address_change
                + (bit<32>)(~(meta.arrived_ttl ++ 8w0)) + (bit<32>)(hdr.ipv4.ttl ++ 8w0);
            sum = (sum & 0xffff) + (sum >> 16);
            sum = (sum & 0xffff) + (sum >> 16);
            hdr.ipv4.checksum = ~sum[15:0];

            if (meta.is_rewritten == 1) {
                bit<32> port_change = (bit<32>)(~meta.flow.source_port) + (bit<32>)(~meta.flow.target_port);
                if (hdr.tcp.isValid()) {
                    sum = (bit<32>)(~hdr.tcp.checksum) + address_change + port_change
                        + (bit<32>)hdr.tcp.source_port + (bit<32>)hdr.tcp.target_port;
                    sum = (sum & 0xffff) + (sum >> 16);
                    sum = (sum & 0xffff) + (sum >> 16);
                    hdr.tcp.checksum = ~sum[15:0];
                } else if (hdr.udp.checksum != 0) {
                    sum = (bit<32>)(~hdr.udp.checksum) + address_change + port_change
                        + (bit<32>)hdr.udp.source_port + (bit<32>)hdr.udp.target_port;
                    sum = (sum & 0xffff) + (sum >> 16);
                    sum = (sum & 0xffff) + (sum >> 16);
                    hdr.udp.checksum = ~sum[15:0];
                    // On the wire 0 would say "no checksum".
                    if (hdr.udp.checksum == 0) {
                        hdr.udp.checksum = 0xffff;
                    }
                }
            }
        }
    }
}
