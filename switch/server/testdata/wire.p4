// SPDX-License-Identifier: Apache-2.0
// A wire: what arrives at port 1 leaves from port 2 and the other way round; at other ports it goes back.
#include <core.p4>
#include <v1model.p4>

struct headers_t { }
struct metadata_t { }

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start { transition accept; }
}
control Verify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control SwitchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = standard.ingress_port;
        if (standard.ingress_port == 1) { standard.egress_spec = 2; }
        if (standard.ingress_port == 2) { standard.egress_spec = 1; }
    }
}
control SwitchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) { apply { } }
control Update(inout headers_t hdr, inout metadata_t meta) { apply { } }
control Deparse(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Verify(), SwitchIngress(), SwitchEgress(), Update(), Deparse()) main;
