// SPDX-License-Identifier: Apache-2.0
// The deparser sums; ingress tells it what, in the form that RFC 1624 sums changes in: HC' = ~(~HC + ~m + m').
//
//   forwarded   ~ old checksum, ~ old addresses and ports (ingress, before they change) + the new ones
//   answered    the whole of what is covered

// What the fields of a packet were, complemented.
struct complements_t {
    bit<16> ipv4_checksum;
    bit<16> ttl_word;
    bit<16> l4_checksum;      // TCP, UDP or ICMP.
    ipv4_address_t source;    // Of the flow.
    ipv4_address_t target;
    ipv6_address_t source_ipv6;
    ipv6_address_t target_ipv6;
    l4_port_t source_port;
    l4_port_t target_port;
    ipv4_address_t arrived_source;
    ipv6_address_t arrived_source_ipv6;
    bit<16> quoted_ipv4_checksum;
    bit<16> quoted_fourth;
    bit<16> type_word;        // Of an echo request.
}

// Whether a checksum is to be written, and which: one bit each, for the deparser compares nothing.
struct sums_t {
    bit<1> answered;
    bit<1> rewritten;
    bit<1> echoed;
    bit<1> has_udp_checksum;
    bit<1> has_quoted_udp_checksum;
    bit<1> is_icmp_error;
}

struct switch_metadata_t {
    metadata_t    core;
    complements_t complements;
    sums_t        sums;
}

// Before the pipeline changes anything.
control SwitchComplements(in headers_t hdr, inout switch_metadata_t meta) {
    apply {
        meta.complements.ipv4_checksum = ~hdr.ipv4.checksum;
        meta.complements.ttl_word = ~(meta.core.ttl ++ 8w0);
        if (hdr.tcp.isValid()) {
            meta.complements.l4_checksum = ~hdr.tcp.checksum;
            meta.complements.source_port = ~hdr.tcp.source_port;
            meta.complements.target_port = ~hdr.tcp.target_port;
        } else if (hdr.udp.isValid()) {
            meta.complements.l4_checksum = ~hdr.udp.checksum;
            meta.complements.source_port = ~hdr.udp.source_port;
            meta.complements.target_port = ~hdr.udp.target_port;
            if (hdr.udp.checksum != 0) {
                meta.sums.has_udp_checksum = 1;
            }
        } else {
            meta.complements.l4_checksum = ~hdr.icmp.checksum;
            meta.complements.source_port = ~meta.core.flow.source_port;
            meta.complements.target_port = ~meta.core.flow.target_port;
        }
        meta.complements.source = ~meta.core.flow.source_address;
        meta.complements.target = ~meta.core.flow.target_address;
        meta.complements.source_ipv6 = ~meta.core.flow_ipv6.source_address;
        meta.complements.target_ipv6 = ~meta.core.flow_ipv6.target_address;
        meta.complements.arrived_source = ~hdr.ipv4.source_address;
        meta.complements.arrived_source_ipv6 = ~hdr.ipv6.source_address;
        meta.complements.quoted_ipv4_checksum = ~hdr.quoted_ipv4.checksum;
        meta.complements.quoted_fourth = ~hdr.quoted_l4.fourth;
        meta.complements.type_word = ~(hdr.icmp.message_type ++ 8w0);
        if (meta.core.flow.protocol == PROTOCOL_UDP && hdr.quoted_l4.fourth != 0) {
            meta.sums.has_quoted_udp_checksum = 1;
        }
    }
}

// After it.
control SwitchChecksum(inout headers_t hdr, inout switch_metadata_t meta) {
    apply {
        meta.sums.is_icmp_error = meta.core.is_icmp_error;
        if (meta.core.answer != ANSWER_NONE) {
            meta.sums.answered = 1;
            if (meta.core.answer == ANSWER_ECHO) {
                meta.sums.echoed = 1;
            }
        } else if (meta.core.forwarding == FORWARDING_NAT || meta.core.forwarding == FORWARDING_NAT_IPV6
                   || meta.core.forwarding == FORWARDING_RETURN) {
            meta.sums.rewritten = 1;
        }
    }
}

control SwitchChecksumDeparser(inout headers_t hdr, in switch_metadata_t meta) {
    Checksum() outer_ipv4_sum;
    Checksum() ipv4_sum;
    Checksum() quoted_ipv4_sum;
    Checksum() quoted_udp_sum;
    Checksum() quoted_udp_ipv6_sum;
    Checksum() icmp_sum;
    Checksum() icmpv6_sum;
    Checksum() tcp_sum;
    Checksum() tcp_ipv6_sum;
    Checksum() udp_sum;
    Checksum() udp_ipv6_sum;
    Checksum() echo_sum;
    Checksum() advertisement_sum;
    Checksum() reset_sum;
    Checksum() reset_ipv6_sum;
    Checksum() icmp_answer_sum;
    Checksum() icmpv6_answer_sum;

    apply {
        if (hdr.outer_ipv4.isValid()) {
            hdr.outer_ipv4.checksum = outer_ipv4_sum.update({
                hdr.outer_ipv4.version, hdr.outer_ipv4.header_words, hdr.outer_ipv4.traffic_class,
                hdr.outer_ipv4.total_length, hdr.outer_ipv4.identification, hdr.outer_ipv4.reserved,
                hdr.outer_ipv4.dont_fragment, hdr.outer_ipv4.more_fragments, hdr.outer_ipv4.fragment_offset,
                hdr.outer_ipv4.ttl, hdr.outer_ipv4.protocol, hdr.outer_ipv4.source_address,
                hdr.outer_ipv4.target_address });
        }

        if (meta.sums.answered == 1) {
            if (hdr.outer_icmp.isValid()) {
                if (hdr.ipv4.isValid()) {
                    hdr.outer_icmp.checksum = icmp_answer_sum.update({
                        hdr.outer_icmp.message_type, hdr.outer_icmp.code, hdr.outer_icmp.rest,
                        hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.traffic_class, hdr.ipv4.total_length,
                        hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment, hdr.ipv4.more_fragments,
                        hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.checksum,
                        hdr.ipv4.source_address, hdr.ipv4.target_address, hdr.l4_start.first, hdr.l4_start.second });
                } else {
                    hdr.outer_icmp.checksum = icmpv6_answer_sum.update({
                        hdr.outer_ipv6.source_address, hdr.outer_ipv6.target_address, hdr.outer_ipv6.payload_length,
                        8w0, hdr.outer_ipv6.next_header,
                        hdr.outer_icmp.message_type, hdr.outer_icmp.code, hdr.outer_icmp.rest,
                        hdr.ipv6.version, hdr.ipv6.traffic_class, hdr.ipv6.flow_label, hdr.ipv6.payload_length,
                        hdr.ipv6.next_header, hdr.ipv6.hop_limit, hdr.ipv6.source_address, hdr.ipv6.target_address,
                        hdr.l4_start.first, hdr.l4_start.second });
                }
            } else {
                if (hdr.ipv4.isValid()) {
                    hdr.ipv4.checksum = ipv4_sum.update({
                        hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.traffic_class, hdr.ipv4.total_length,
                        hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment, hdr.ipv4.more_fragments,
                        hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.source_address,
                        hdr.ipv4.target_address });
                }
                if (meta.sums.echoed == 1) {
                    hdr.icmp.checksum = echo_sum.update({
                        meta.complements.l4_checksum, meta.complements.type_word, hdr.icmp.message_type, 8w0 }, true);
                } else if (hdr.ndp.isValid()) {
                    hdr.icmp.checksum = advertisement_sum.update({
                        hdr.ipv6.source_address, hdr.ipv6.target_address, hdr.ipv6.payload_length, 8w0,
                        hdr.ipv6.next_header, hdr.icmp.message_type, hdr.icmp.code, hdr.icmp.rest,
                        hdr.ndp.target_address, hdr.ndp_option.option_type, hdr.ndp_option.length,
                        hdr.ndp_option.mac });
                } else if (hdr.tcp.isValid()) {
                    if (hdr.ipv4.isValid()) {
                        hdr.tcp.checksum = reset_sum.update({
                            hdr.ipv4.source_address, hdr.ipv4.target_address, TCP_OCTETS, 8w0, PROTOCOL_TCP,
                            hdr.tcp.source_port, hdr.tcp.target_port, hdr.tcp.sequence, hdr.tcp.acknowledgement,
                            hdr.tcp.header_words, hdr.tcp.reserved, hdr.tcp.flags, hdr.tcp.window, hdr.tcp.urgent });
                    } else {
                        hdr.tcp.checksum = reset_ipv6_sum.update({
                            hdr.ipv6.source_address, hdr.ipv6.target_address, TCP_OCTETS, 8w0, PROTOCOL_TCP,
                            hdr.tcp.source_port, hdr.tcp.target_port, hdr.tcp.sequence, hdr.tcp.acknowledgement,
                            hdr.tcp.header_words, hdr.tcp.reserved, hdr.tcp.flags, hdr.tcp.window, hdr.tcp.urgent });
                    }
                }
            }
        } else if (hdr.ipv4.isValid()) {
            // The target is the flow's: what an ICMP error is about has been sent from there.
            hdr.ipv4.checksum = ipv4_sum.update({
                meta.complements.ipv4_checksum, meta.complements.arrived_source, meta.complements.target,
                meta.complements.ttl_word, hdr.ipv4.source_address, hdr.ipv4.target_address, hdr.ipv4.ttl, 8w0 });
            if (meta.sums.rewritten == 1) {
                if (meta.sums.is_icmp_error == 1) {
                    hdr.quoted_ipv4.checksum = quoted_ipv4_sum.update({
                        meta.complements.quoted_ipv4_checksum, meta.complements.source, meta.complements.target,
                        hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address });
                    if (meta.sums.has_quoted_udp_checksum == 1) {
                        hdr.quoted_l4.fourth = quoted_udp_sum.update({
                            meta.complements.quoted_fourth, meta.complements.source, meta.complements.target,
                            meta.complements.source_port, meta.complements.target_port,
                            hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address,
                            hdr.quoted_l4.source_port, hdr.quoted_l4.target_port }, true);
                    }
                    hdr.icmp.checksum = icmp_sum.update({
                        meta.complements.l4_checksum, meta.complements.quoted_ipv4_checksum,
                        meta.complements.source, meta.complements.target,
                        meta.complements.source_port, meta.complements.target_port, meta.complements.quoted_fourth,
                        hdr.quoted_ipv4.checksum, hdr.quoted_ipv4.source_address, hdr.quoted_ipv4.target_address,
                        hdr.quoted_l4.source_port, hdr.quoted_l4.target_port, hdr.quoted_l4.fourth });
                } else if (hdr.tcp.isValid()) {
                    hdr.tcp.checksum = tcp_sum.update({
                        meta.complements.l4_checksum, meta.complements.source, meta.complements.target,
                        meta.complements.source_port, meta.complements.target_port,
                        hdr.ipv4.source_address, hdr.ipv4.target_address,
                        hdr.tcp.source_port, hdr.tcp.target_port });
                } else if (meta.sums.has_udp_checksum == 1) {
                    hdr.udp.checksum = udp_sum.update({
                        meta.complements.l4_checksum, meta.complements.source, meta.complements.target,
                        meta.complements.source_port, meta.complements.target_port,
                        hdr.ipv4.source_address, hdr.ipv4.target_address,
                        hdr.udp.source_port, hdr.udp.target_port }, true);
                }
            }
        } else if (meta.sums.rewritten == 1) {
            if (meta.sums.is_icmp_error == 1) {
                if (meta.sums.has_quoted_udp_checksum == 1) {
                    hdr.quoted_l4.fourth = quoted_udp_ipv6_sum.update({
                        meta.complements.quoted_fourth, meta.complements.source_ipv6, meta.complements.target_ipv6,
                        meta.complements.source_port, meta.complements.target_port,
                        hdr.quoted_ipv6.source_address, hdr.quoted_ipv6.target_address,
                        hdr.quoted_l4.source_port, hdr.quoted_l4.target_port }, true);
                }
                hdr.icmp.checksum = icmpv6_sum.update({
                    meta.complements.l4_checksum, meta.complements.arrived_source_ipv6, meta.complements.target_ipv6,
                    hdr.ipv6.source_address, hdr.ipv6.target_address,
                    meta.complements.source_ipv6, meta.complements.target_ipv6,
                    meta.complements.source_port, meta.complements.target_port, meta.complements.quoted_fourth,
                    hdr.quoted_ipv6.source_address, hdr.quoted_ipv6.target_address,
                    hdr.quoted_l4.source_port, hdr.quoted_l4.target_port, hdr.quoted_l4.fourth });
            } else if (hdr.tcp.isValid()) {
                hdr.tcp.checksum = tcp_ipv6_sum.update({
                    meta.complements.l4_checksum, meta.complements.source_ipv6, meta.complements.target_ipv6,
                    meta.complements.source_port, meta.complements.target_port,
                    hdr.ipv6.source_address, hdr.ipv6.target_address, hdr.tcp.source_port, hdr.tcp.target_port });
            } else if (hdr.udp.isValid()) {
                hdr.udp.checksum = udp_ipv6_sum.update({
                    meta.complements.l4_checksum, meta.complements.source_ipv6, meta.complements.target_ipv6,
                    meta.complements.source_port, meta.complements.target_port,
                    hdr.ipv6.source_address, hdr.ipv6.target_address, hdr.udp.source_port, hdr.udp.target_port },
                    true);
            }
        }
    }
}
