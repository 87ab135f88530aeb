// SPDX-License-Identifier: Apache-2.0
//
//   backend ──> how it is reached, and where: the packet itself changes only when its next link is known (rewrite.p4)
//
//   nat     its own address and port take the place of the vip's
//   l2_dsr  the packet as it is, to the MAC address of `next_hop`
//   ipip, gre, gue  the packet as it is, in a tunnel to `address`
//
// The suffix is the family of the address: of the outer header, where there is one.

control SwitchBackend(inout metadata_t meta) {
    SwitchCounter(BACKENDS) backend_traffic;

    action nat(ipv4_address_t address, l4_port_t port) {
        meta.forwarding = FORWARDING_NAT;
        meta.next_hop = address;
        meta.rewritten_address = address;
        meta.rewritten_port = port;
    }

    action nat_ipv6(ipv6_address_t address, l4_port_t port) {
        meta.forwarding = FORWARDING_NAT_IPV6;
        meta.next_hop_is_ipv6 = 1;
        meta.next_hop_ipv6 = address;
        meta.rewritten_address_ipv6 = address;
        meta.rewritten_port = port;
    }

    action l2_dsr(ipv4_address_t next_hop) {
        meta.forwarding = FORWARDING_L2_DSR;
        meta.next_hop = next_hop;
    }

    action l2_dsr_ipv6(ipv6_address_t next_hop) {
        meta.forwarding = FORWARDING_L2_DSR;
        meta.next_hop_is_ipv6 = 1;
        meta.next_hop_ipv6 = next_hop;
    }

    action ipip(ipv4_address_t address) {
        meta.forwarding = FORWARDING_IPIP;
        meta.next_hop = address;
        meta.rewritten_address = address;
        meta.overhead = IPV4_OCTETS;
    }

    action ipip_ipv6(ipv6_address_t address) {
        meta.forwarding = FORWARDING_IPIP;
        meta.next_hop_is_ipv6 = 1;
        meta.next_hop_ipv6 = address;
        meta.rewritten_address_ipv6 = address;
        meta.overhead = IPV6_OCTETS;
    }

    action gre(ipv4_address_t address) {
        meta.forwarding = FORWARDING_GRE;
        meta.next_hop = address;
        meta.rewritten_address = address;
        meta.overhead = IPV4_OCTETS + GRE_OCTETS;
    }

    action gre_ipv6(ipv6_address_t address) {
        meta.forwarding = FORWARDING_GRE;
        meta.next_hop_is_ipv6 = 1;
        meta.next_hop_ipv6 = address;
        meta.rewritten_address_ipv6 = address;
        meta.overhead = IPV6_OCTETS + GRE_OCTETS;
    }

    action gue(ipv4_address_t address, l4_port_t port) {
        meta.forwarding = FORWARDING_GUE;
        meta.next_hop = address;
        meta.rewritten_address = address;
        meta.rewritten_port = port;
        meta.overhead = IPV4_OCTETS + UDP_OCTETS + GUE_OCTETS;
    }

    action gue_ipv6(ipv6_address_t address, l4_port_t port) {
        meta.forwarding = FORWARDING_GUE;
        meta.next_hop_is_ipv6 = 1;
        meta.next_hop_ipv6 = address;
        meta.rewritten_address_ipv6 = address;
        meta.rewritten_port = port;
        meta.overhead = IPV6_OCTETS + UDP_OCTETS + GUE_OCTETS;
    }

    action no_backend() {
        meta.drop_reason = DROP_NO_BACKEND;
        meta.flow_digest = 0;
    }

    table backend {
        key = {
            meta.backend : exact @name("backend");
        }
        actions = {
            nat; nat_ipv6; l2_dsr; l2_dsr_ipv6; ipip; ipip_ipv6; gre; gre_ipv6; gue; gue_ipv6;
            @defaultonly no_backend;
        }
        const default_action = no_backend();
        size = BACKEND_ROWS;
    }

    apply {
        if (backend.apply().hit) {
            backend_traffic.apply((bit<32>)meta.backend);
        }
    }
}
