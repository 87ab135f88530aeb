// SPDX-License-Identifier: Apache-2.0
// A packet's life, from parsed to forwarded. The shell around it says what a port is and how a packet is dropped.
//
//   from the controller ──> its port
//   ARP  ──> arp
//   IPv4 ──> load balancer ──> router

control SwitchPipeline(inout headers_t hdr, inout metadata_t meta) {
    SwitchArp() arp;
    SwitchLoadBalancer() load_balancer;
    SwitchRouter() router;
    SwitchCounter(DROP_REASONS) drops;

    apply {
        if (hdr.packet_out.isValid()) {
            meta.egress_port = hdr.packet_out.egress_port;
        } else if (meta.drop_reason != DROP_NONE) {
            // The shell found the packet damaged.
        } else if (hdr.arp.isValid()) {
            arp.apply(hdr, meta);
        } else if (hdr.ipv4.isValid()) {
            load_balancer.apply(hdr, meta);
            if (meta.drop_reason == DROP_NONE) {
                router.apply(hdr, meta);
            }
        } else {
            meta.drop_reason = DROP_NOT_IPV4;
        }
        if (meta.drop_reason != DROP_NONE) {
            drops.apply((bit<32>)meta.drop_reason);
        }
    }
}
