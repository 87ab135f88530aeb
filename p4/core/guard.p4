// SPDX-License-Identifier: Apache-2.0
//
//   martian addresses ──> drop
//   an IP packet that ends before its TCP, UDP or ICMP header does ──> drop: what was read is padding
//   an ICMP error that goes elsewhere than the packet it quotes came from ──> about no flow
//
// Comparisons, not tables: every packet comes through here.

control SwitchGuard(in headers_t hdr, inout metadata_t meta) {
    apply {
        if (hdr.ipv4.isValid()) {
            // 0/8, 127/8, and from 224/4 to the end: multicast, reserved, broadcast. Nor does anybody write to himself.
            if (hdr.ipv4.source_address[31:29] == 7 || hdr.ipv4.target_address[31:29] == 7
                || hdr.ipv4.source_address[31:24] == 0 || hdr.ipv4.target_address[31:24] == 0
                || hdr.ipv4.source_address[31:24] == 127 || hdr.ipv4.target_address[31:24] == 127
                || hdr.ipv4.source_address == hdr.ipv4.target_address) {
                meta.drop_reason = DROP_MARTIAN;
            } else if (hdr.ipv4.total_length < IPV4_OCTETS_MAX
                       && (hdr.ipv4.total_length[15:2] < (bit<14>)hdr.ipv4.header_words
                           || (hdr.ipv4.total_length < IPV4_OCTETS + TCP_OCTETS && hdr.tcp.isValid())
                           || (hdr.ipv4.total_length < IPV4_OCTETS + UDP_OCTETS && (hdr.udp.isValid() || hdr.icmp.isValid())))) {
                meta.drop_reason = DROP_MALFORMED;
            } else if (meta.is_icmp_error == 1 && hdr.ipv4.target_address != meta.flow.target_address) {
                meta.has_flow = 0;
            }
        } else if (hdr.ipv6.isValid() && !hdr.ndp.isValid()) {
            // ::/96 (with :: and ::1), IPv4-mapped, multicast, link-local: that is for NDP alone here.
            if (hdr.ipv6.source_address[127:120] == 0xff || hdr.ipv6.target_address[127:120] == 0xff
                || hdr.ipv6.source_address[127:118] == 0x3fa || hdr.ipv6.target_address[127:118] == 0x3fa
                || hdr.ipv6.source_address[127:32] == 0 || hdr.ipv6.target_address[127:32] == 0
                || hdr.ipv6.source_address[127:32] == 0xffff || hdr.ipv6.target_address[127:32] == 0xffff
                || hdr.ipv6.source_address == hdr.ipv6.target_address) {
                meta.drop_reason = DROP_MARTIAN;
            } else if (hdr.ipv6.payload_length < TCP_OCTETS && (hdr.tcp.isValid()
                       || (hdr.ipv6.payload_length < UDP_OCTETS && (hdr.udp.isValid() || hdr.icmp.isValid())))) {
                meta.drop_reason = DROP_MALFORMED;
            } else if (meta.is_icmp_error == 1 && hdr.ipv6.target_address != meta.flow_ipv6.target_address) {
                meta.has_flow = 0;
            }
        }
    }
}
