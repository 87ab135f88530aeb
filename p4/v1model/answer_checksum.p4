// SPDX-License-Identifier: Apache-2.0
// The checksums of what the switch says itself, but for an ICMP error's own IPv4 header (checksum.p4).

control SwitchAnswerChecksum(inout headers_t hdr, in metadata_t meta) {
    apply {
        if (hdr.outer_icmp.isValid()) {
            // A quotation without octets behind the IP header sums as if they were 0. Of these headers one IP is valid.
            bit<32> first = 0;
            bit<32> second = 0;
            if (hdr.l4_start.isValid()) {
                first = hdr.l4_start.first;
                second = hdr.l4_start.second;
            }
            if (hdr.ipv4.isValid()) {
                hash(hdr.outer_icmp.checksum, HashAlgorithm.csum16, 16w0,
                     { hdr.outer_icmp.message_type, hdr.outer_icmp.code, hdr.outer_icmp.rest,
                       hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.traffic_class, hdr.ipv4.total_length,
                       hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment, hdr.ipv4.more_fragments,
                       hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.checksum,
                       hdr.ipv4.source_address, hdr.ipv4.target_address, first, second },
                     32w0x10000);
            } else {
                hash(hdr.outer_icmp.checksum, HashAlgorithm.csum16, 16w0,
                     { hdr.outer_ipv6.source_address, hdr.outer_ipv6.target_address, hdr.outer_ipv6.payload_length,
                       8w0, hdr.outer_ipv6.next_header,
                       hdr.outer_icmp.message_type, hdr.outer_icmp.code, hdr.outer_icmp.rest,
                       hdr.ipv6.version, hdr.ipv6.traffic_class, hdr.ipv6.flow_label, hdr.ipv6.payload_length,
                       hdr.ipv6.next_header, hdr.ipv6.hop_limit, hdr.ipv6.source_address, hdr.ipv6.target_address,
                       first, second },
                     32w0x10000);
            }
        } else {
            if (hdr.ipv4.isValid()) {
                hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0,
                     { hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.traffic_class, hdr.ipv4.total_length,
                       hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment, hdr.ipv4.more_fragments,
                       hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol,
                       hdr.ipv4.source_address, hdr.ipv4.target_address },
                     32w0x10000);
            }
            if (meta.answer == ANSWER_ECHO && hdr.icmp.isValid()) {
                // The payload is the client's: only the type changed, in the upper octet.
                bit<16> not_checksum = ~hdr.icmp.checksum;
                bit<16> type_word = hdr.icmp.message_type ++ 8w0;
                bit<16> not_type_word = 0xffff;
                if (hdr.ipv4.isValid()) {
                    not_type_word = ~(ICMP_ECHO_REQUEST ++ 8w0);
                } else {
                    not_type_word = ~(ICMPV6_ECHO_REQUEST ++ 8w0);
                }
                hash(hdr.icmp.checksum, HashAlgorithm.csum16, 16w0, { not_checksum, not_type_word, type_word },
                     32w0x10000);
                // A reply of zeros alone has no sum that is 0; where there is one, the two are the same.
                if (hdr.icmp.checksum == 0) {
                    hdr.icmp.checksum = 0xffff;
                }
            } else if (meta.answer == ANSWER_RESET && hdr.tcp.isValid()) {
                bit<16> tcp_length = 20;
                if (hdr.ipv4.isValid()) {
                    hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
                         { hdr.ipv4.source_address, hdr.ipv4.target_address, tcp_length, 8w0, PROTOCOL_TCP,
                           hdr.tcp.source_port, hdr.tcp.target_port, hdr.tcp.sequence, hdr.tcp.acknowledgement,
                           hdr.tcp.header_words, hdr.tcp.reserved, hdr.tcp.flags, hdr.tcp.window, hdr.tcp.urgent },
                         32w0x10000);
                } else {
                    hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
                         { hdr.ipv6.source_address, hdr.ipv6.target_address, tcp_length, 8w0, PROTOCOL_TCP,
                           hdr.tcp.source_port, hdr.tcp.target_port, hdr.tcp.sequence, hdr.tcp.acknowledgement,
                           hdr.tcp.header_words, hdr.tcp.reserved, hdr.tcp.flags, hdr.tcp.window, hdr.tcp.urgent },
                         32w0x10000);
                }
            } else if (hdr.ndp.isValid() && hdr.icmp.isValid()) {
                hash(hdr.icmp.checksum, HashAlgorithm.csum16, 16w0,
                     { hdr.ipv6.source_address, hdr.ipv6.target_address, hdr.ipv6.payload_length, 8w0,
                       hdr.ipv6.next_header, hdr.icmp.message_type, hdr.icmp.code, hdr.icmp.rest,
                       hdr.ndp.target_address, hdr.ndp_option.option_type, hdr.ndp_option.length, hdr.ndp_option.mac },
                     32w0x10000);
            }
        }
    }
}
