// SPDX-License-Identifier: Apache-2.0
// What the pipeline knows about a packet beyond its headers.

// The 5-tuple as it arrived. NAT changes the headers, never this.
struct flow_t {
    ipv4_address_t source_address;
    ipv4_address_t target_address;
    bit<8>         protocol;
    l4_port_t      source_port;
    l4_port_t      target_port;
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

// "This neighbour lives here": to the controller, once per change.
struct neighbour_digest_t {
    port_t         port;
    ipv4_address_t address;
    mac_address_t  mac;
}

struct metadata_t {
    port_t ingress_port;
    port_t egress_port;       // Valid iff drop_reason == DROP_NONE.
    drop_reason_t drop_reason;

    bit<1> has_flow;          // Valid iff the packet is an unfragmented TCP or UDP packet without IP options.
    flow_t flow;              // Valid iff has_flow.
    bit<1> is_opening;        // TCP SYN without ACK, or any UDP packet: may be given a column.
    bit<1> is_closing;        // TCP FIN or RST.
    bit<1> is_reset;          // TCP RST.

    pool_id_t    pool;        // Valid iff the vip was hit.
    slot_id_t    slot_mask;   // Valid iff the vip was hit.
    slot_id_t    slot;        // Valid iff the vip was hit.
    filter_index_t row_a;     // Valid iff the vip was hit.
    filter_index_t row_b;     // Valid iff the vip was hit.
    backend_id_t pinned;      // Valid iff the pin was hit.
    backend_id_t backend;     // NO_BACKEND: nobody serves this packet.
    bit<1>       unstable;    // Valid iff the slot was hit.
    bit<1>       pin_base;    // Valid iff the slot is unstable.
    version_t    version;     // Valid iff the slot is unstable and the flow has no pin.
    bit<4>       known;       // One bit per filter slot, slot 0 is bit 0.
    column_t     column;
    bit<1>       learn;
    decision_t   decision;

    bit<1> is_rewritten;      // NAT changed addresses or ports: L4 checksums follow.
    l4_port_t rewritten_port; // Valid iff is_rewritten.
    bit<8> arrived_ttl;       // Valid iff ipv4: for the checksum.

    digest_reason_t flow_digest;   // 0: none wished.
    bit<1> neighbour_digest;       // 1: wished.
    neighbour_digest_t neighbour;  // Valid iff neighbour_digest.

    ipv4_address_t next_hop;
}
