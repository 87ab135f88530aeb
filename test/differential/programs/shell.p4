// SPDX-License-Identifier: Apache-2.0
// What every program here shares: the first header of a packet, and the controls a program leaves empty.

#include <core.p4>
#include <v1model.p4>

// `kind` chooses what is done to the packet, `port` where it leaves.
header frame_t {
    bit<8> kind;
    bit<8> port;
}

// Few ports, so that packets meet. 510 and 511 have meanings of their own. What a field of a header that is not there reads
// as is undefined, so all programs ask first.
#define FORWARD(frame) \
    if (!frame.isValid()) { \
        standard.egress_spec = 7; \
        return; \
    } \
    standard.egress_spec = (bit<9>)(frame.port & 7);

#define NO_CHECKSUMS \
control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply {} } \
control NoUpdate(inout headers_t hdr, inout metadata_t meta) { apply {} }

#define NO_EGRESS \
control NoEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply {} }
