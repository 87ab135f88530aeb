// SPDX-License-Identifier: Apache-2.0
// What the pipeline knows about a packet beyond its headers.

// The 5-tuple as it arrived; of an ICMP error, the 5-tuple it is about, seen from the client. NAT never changes it.
struct flow_t {
    ipv4_address_t source_address; // Valid iff the packet is IPv4.
    ipv4_address_t target_address; // Valid iff the packet is IPv4.
    protocol_t     protocol;
    l4_port_t      source_port;
    l4_port_t      target_port;
}

// The rest of it in IPv6.
struct flow_ipv6_t {
    ipv6_address_t source_address;
    ipv6_address_t target_address;
}

// The version in force, from the one default action of table version. One filter slot: its epoch, the column
// that its flows were given, whether its members are to be pinned.
struct version_t {
    filter_slot_t active;
    epoch_t  epoch0;
    epoch_t  epoch1;
    epoch_t  epoch2;
    epoch_t  epoch3;
    column_t column0;
    column_t column1;
    column_t column2;
    column_t column3;
    bit<1>   learn0;
    bit<1>   learn1;
    bit<1>   learn2;
    bit<1>   learn3;
}

// "Pin this flow": to the controller.
struct flow_digest_t {
    ipv4_address_t  source_address;
    ipv4_address_t  target_address;
    bit<8>          protocol;
    l4_port_t       source_port;
    l4_port_t       target_port;
    pool_id_t       pool;
    slot_id_t       slot;
    column_t        column;
    backend_id_t    backend;
    digest_reason_t reason;
}

struct flow_digest_ipv6_t {
    ipv6_address_t  source_address;
    ipv6_address_t  target_address;
    bit<8>          protocol;
    l4_port_t       source_port;
    l4_port_t       target_port;
    pool_id_t       pool;
    slot_id_t       slot;
    column_t        column;
    backend_id_t    backend;
    digest_reason_t reason;
}

// "This neighbour lives here": to the controller, once per change.
struct neighbour_digest_t {
    port_t         port;
    ipv4_address_t address;
    mac_address_t  mac;
}

struct neighbour_digest_ipv6_t {
    port_t         port;
    ipv6_address_t address;
    mac_address_t  mac;
}

struct metadata_t {
    port_t ingress_port;
    port_t egress_port;       // Valid iff drop_reason == DROP_NONE.
    drop_reason_t drop_reason;
    answer_t answer;          // What takes the place of the drop. Valid iff drop_reason != DROP_NONE.

    bit<1> has_flow;          // Valid iff ports were read: TCP or UDP, or an ICMP error about them.
    bit<1> is_fragment;       // First (has_flow) or later.
    bit<1> has_options;       // IP options or extension headers stand before the ports: these are unread.
    bit<1> is_icmp_error;     // The flow is what the packet is about.
    flow_t flow;              // Addresses and protocol valid iff the packet is IP, ports iff has_flow.
    flow_ipv6_t flow_ipv6;    // Valid iff the packet is IPv6.
    bit<1> is_opening;        // TCP SYN without ACK, or any UDP packet: may be given a column.
    bit<1> is_closing;        // TCP FIN or RST.
    bit<1> is_reset;          // TCP RST.
    bit<8> option_words;      // While the parser reads TCP options: words not yet read ...
    bit<8> option_skip;       // ... and octets to the next option.
    bit<1> has_server_option; // TCP option 0xb7.
    bit<32> server_option;    // Valid iff has_server_option.
    bit<1> is_quic_long;      // A UDP packet whose first bit says so.
    bit<8> ttl;               // Valid iff the packet is IP: TTL or hop limit as it arrived.

    bit<1>       is_ours;     // The vip was hit.
    bit<1>       is_by_fragment; // By vip_fragment: ports are 0.
    pool_id_t    pool;        // Valid iff is_ours, and so on below.
    slot_id_t    slot_mask;
    bit<1>       affinity;    // The slot is chosen by the source address alone.
    hint_kind_t  hint_kind;
    on_dead_t    on_dead;
    bit<1>       by_prefix;   // The rows of the slots are in slot_prefix and slot_version_prefix.
    slot_id_t    slot;
    filter_index_t row_a;     // A function of the flow's hash, as is the entropy of a tunnel.
    backend_id_t pinned;      // Valid iff the pin was hit.
    backend_id_t backend;     // NO_BACKEND: nobody serves this packet.
    bit<1>       unstable;    // Valid iff the slot was asked.
    bit<1>       pin_base;    // Valid iff the slot is unstable.
    version_t    version;     // Valid iff the slot is unstable and the flow has no pin.
    bit<4>       known;       // One bit per filter slot, slot 0 is bit 0.
    column_t     column;
    bit<1>       learn;
    decision_t   decision;

    ipv4_address_t asked_address;      // Is it ours?
    ipv6_address_t asked_address_ipv6;
    bit<1>         is_own;
    mac_address_t  own_mac;            // Valid iff is_own.

    forwarding_t forwarding;
    bit<1>       next_hop_is_ipv6;
    ipv4_address_t next_hop;           // Valid iff next_hop_is_ipv6 == 0: the address to route by, then the next machine's.
    ipv6_address_t next_hop_ipv6;      // Valid iff next_hop_is_ipv6 == 1.
    ipv4_address_t rewritten_address;  // Valid iff forwarding is NAT, return (IPv4) or a tunnel over IPv4.
    ipv6_address_t rewritten_address_ipv6;
    l4_port_t    rewritten_port;       // Valid iff forwarding is NAT, return or GUE.
    packet_length_t overhead;          // Octets that a tunnel puts in front.
    packet_length_t mtu;               // Of the next link; 0: no limit.
    mac_address_t source_mac;          // Valid iff the neighbour was hit.
    mac_address_t target_mac;          // Valid iff the neighbour was hit.
    l4_port_t    arrived_target_port;  // Valid iff is_by_fragment and has_flow.
    ipv4_address_t arrived_source;     // Valid iff is_icmp_error, IPv4.
    ipv6_address_t arrived_source_ipv6; // Valid iff is_icmp_error, IPv6.

    digest_reason_t flow_digest;   // 0: none wished.
    bit<1> neighbour_digest;       // 1: wished.
    neighbour_digest_t neighbour;            // Valid iff neighbour_digest, of an ARP packet.
    neighbour_digest_ipv6_t neighbour_ipv6;  // Valid iff neighbour_digest, of an NDP packet.
}
