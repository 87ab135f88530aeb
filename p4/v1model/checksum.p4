// SPDX-License-Identifier: Apache-2.0
// Checksums of what was forwarded follow what changed (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')), so damage done
// elsewhere stays visible. csum16 is that outer ~ of a ones' complement sum. What the switch says itself is summed whole.

control SwitchChecksum(inout headers_t hdr, in metadata_t meta) {
    SwitchForwardedIpv4Checksum() forwarded_ipv4;
    SwitchForwardedIpv6Checksum() forwarded_ipv6;
    SwitchAnswerChecksum() answer;

    apply {
        if (meta.answer == ANSWER_NONE) {
            if (hdr.ipv4.isValid()) {
                forwarded_ipv4.apply(hdr, meta);
            } else if (hdr.ipv6.isValid()) {
                forwarded_ipv6.apply(hdr, meta);
            }
        } else {
            answer.apply(hdr, meta);
        }
        if (hdr.outer_ipv4.isValid()) {
            hash(hdr.outer_ipv4.checksum, HashAlgorithm.csum16, 16w0,
                 { hdr.outer_ipv4.version, hdr.outer_ipv4.header_words, hdr.outer_ipv4.traffic_class,
                   hdr.outer_ipv4.total_length, hdr.outer_ipv4.identification, hdr.outer_ipv4.reserved,
                   hdr.outer_ipv4.dont_fragment, hdr.outer_ipv4.more_fragments, hdr.outer_ipv4.fragment_offset,
                   hdr.outer_ipv4.ttl, hdr.outer_ipv4.protocol, hdr.outer_ipv4.source_address,
                   hdr.outer_ipv4.target_address },
                 32w0x10000);
        }
    }
}
