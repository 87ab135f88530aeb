// SPDX-License-Identifier: Apache-2.0
//
//   5-tuple ──> crc32 ──> low bits & mask: slot         high bits: filter row a, entropy of a tunnel
//               (with affinity the slot comes from the crc32 of the source address)
//
// The bits that choose the slot choose no filter cell: the flows of one slot spread over the whole filter. Row b, which only
// an unstable slot needs, is computed there.

control SwitchSlotHash(in headers_t hdr, inout metadata_t meta) {
    SwitchFlowHash() flow_hash;
    SwitchFlowHashIpv6() flow_hash_ipv6;
    SwitchSourceHash() source_hash;
    SwitchSourceHashIpv6() source_hash_ipv6;

    apply {
        bit<32> crc32;
        if (hdr.ipv4.isValid()) {
            flow_hash.apply(meta.flow, crc32);
        } else {
            flow_hash_ipv6.apply(meta.flow, meta.flow_ipv6, crc32);
        }
        meta.row_a = crc32[31:16];
        if (meta.affinity == 1) {
            if (hdr.ipv4.isValid()) {
                source_hash.apply(meta.flow, crc32);
            } else {
                source_hash_ipv6.apply(meta.flow_ipv6, crc32);
            }
        }
        meta.slot = crc32[15:0] & meta.slot_mask;
    }
}
