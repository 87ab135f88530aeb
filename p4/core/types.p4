// SPDX-License-Identifier: Apache-2.0
// The domain's quantities and limits. No raw bit<16> stands for one of these anywhere else.

typedef bit<48> mac_address_t;
typedef bit<32> ipv4_address_t;
typedef bit<128> ipv6_address_t;
typedef bit<16> l4_port_t;
typedef bit<9>  port_t;

typedef bit<12> pool_id_t;
typedef bit<16> slot_id_t;
// 13 bits and the two flags of a slot share one 16-bit word on Tofino. 0 is no backend.
typedef bit<13> backend_id_t;
// Column 0 is base; 1..3 have rows in slot_version.
typedef bit<2>  column_t;
typedef bit<2>  filter_slot_t;
// Tags the cells that were set since the filter slot was last emptied. 0: the slot is not live.
typedef bit<16> epoch_t;
typedef bit<16> filter_index_t;
// What a packet says of its server: the first 8 octets of a QUIC connection id, or a TCP option in the upper 32 bits.
typedef bit<64> hint_t;
// Octets of an IP packet.
typedef bit<16> packet_length_t;

const backend_id_t NO_BACKEND = 0;
const column_t BASE = 0;
const epoch_t NOT_LIVE = 0;

// What a counter cell counts. The controller knows these numbers by the same names.
typedef bit<4> decision_t;
const decision_t DECISION_STABLE = 0; // the slot is stable
const decision_t DECISION_PINNED = 1; // the flow has a pin
const decision_t DECISION_FILTER = 2; // a filter slot knew the flow
const decision_t DECISION_BASE   = 3; // unknown and not opening: older than the change
const decision_t DECISION_NEW    = 4; // opening and unknown: inserted, takes the active column
const decision_t DECISION_RETURN = 5; // from a backend to its client
const decision_t DECISION_ROUTED = 6; // not ours
const decision_t DECISION_HINTED = 7; // the packet named a server that lives
const decision_t DECISION_FRAGMENT = 8; // by source, target and protocol alone, and not new
const decision_t DECISION_ICMP_ERROR = 9; // an ICMP error, to who owns the flow it is about
const decision_t DECISION_ANSWERED = 10; // by the switch itself
const bit<32> DECISIONS = 16;

// Why a packet goes no further. An answer to its sender may take the place of the drop.
typedef bit<5> drop_reason_t;
const drop_reason_t DROP_NONE             = 0;
const drop_reason_t DROP_BAD_CHECKSUM     = 1; // IPv4 header
const drop_reason_t DROP_NO_BACKEND       = 2; // the backend has no row, or its row speaks the other IP
const drop_reason_t DROP_TTL              = 3;
const drop_reason_t DROP_NO_ROUTE         = 4;
const drop_reason_t DROP_NO_NEIGHBOUR     = 5;
const drop_reason_t DROP_NOT_IP           = 6; // neither IP nor ARP
const drop_reason_t DROP_ARP_NOT_FOR_US   = 7;
const drop_reason_t DROP_MARTIAN          = 8; // an address that nobody can have here
const drop_reason_t DROP_OWN_SOURCE       = 9; // to us, from an address of ours
const drop_reason_t DROP_FRAGMENT         = 10; // to an address of ours, ports unknown
const drop_reason_t DROP_OPTIONS          = 11; // IP options or extension headers, to an address of ours
const drop_reason_t DROP_TOO_BIG          = 12; // for the next link
const drop_reason_t DROP_MALFORMED        = 13; // cut short, or a header that cannot be
const drop_reason_t DROP_DEAD_POOL        = 14; // the slot has no backend
const drop_reason_t DROP_ICMP_OF_NO_FLOW  = 15; // an ICMP error to an address of ours about no flow of ours
const drop_reason_t DROP_NDP_NOT_FOR_US   = 16;
const drop_reason_t DROP_NOT_SERVED       = 17; // to an address of ours that is no vip there, or a ping beyond the limit
const bit<32> DROP_REASONS = 32;

// What the sender of a packet is told instead.
typedef bit<4> answer_t;
const answer_t ANSWER_NONE             = 0;
const answer_t ANSWER_NEIGHBOUR        = 1; // ARP reply, neighbour advertisement
const answer_t ANSWER_ECHO             = 2;
const answer_t ANSWER_RESET            = 3; // TCP
const answer_t ANSWER_TIME_EXCEEDED    = 4; // ICMP errors from here on
const answer_t ANSWER_TOO_BIG          = 5;
const answer_t ANSWER_PORT_UNREACHABLE = 6;
const answer_t ANSWER_HOST_UNREACHABLE = 7;

// What a pool without live backend tells its clients.
typedef bit<2> on_dead_t;
@noWarn("unused") const on_dead_t ON_DEAD_DROP        = 0;
const on_dead_t ON_DEAD_RESET       = 1; // TCP reset; UDP: port unreachable
const on_dead_t ON_DEAD_UNREACHABLE = 2; // ICMP host unreachable

// Where a pool's packets name their server.
typedef bit<2> hint_kind_t;
const hint_kind_t HINT_NONE       = 0;
const hint_kind_t HINT_QUIC       = 1;
@noWarn("unused") const hint_kind_t HINT_TCP_OPTION = 2;

// Cells of the counter of hints.
typedef bit<2> hint_outcome_t;
const hint_outcome_t HINT_USED      = 0;
const hint_outcome_t HINT_UNKNOWN   = 1;
const hint_outcome_t HINT_DEAD      = 2;
const hint_outcome_t HINT_MALFORMED = 3; // or absent, where there should be one
const bit<32> HINT_OUTCOMES = 4;

// How a packet reaches the next machine.
typedef bit<3> forwarding_t;
@noWarn("unused") const forwarding_t FORWARDING_ROUTED   = 0; // as it is
const forwarding_t FORWARDING_NAT      = 1; // to a backend, IPv4
const forwarding_t FORWARDING_NAT_IPV6 = 2;
const forwarding_t FORWARDING_RETURN   = 3; // from a backend, as the vip
const forwarding_t FORWARDING_L2_DSR   = 4; // as it is, to the backend's own MAC address
const forwarding_t FORWARDING_IPIP     = 5; // tunnels from here on
const forwarding_t FORWARDING_GRE      = 6;
const forwarding_t FORWARDING_GUE      = 7;

// Cells of the meter, and of the counter of what it held back.
typedef bit<2> limit_t;
const limit_t LIMIT_FLOW_DIGESTS      = 0;
const limit_t LIMIT_NEIGHBOUR_DIGESTS = 1;
const limit_t LIMIT_ANSWERS           = 2;
const bit<32> LIMITS = 4;

// Why a flow digest was raised.
typedef bit<8> digest_reason_t;
const digest_reason_t DIGEST_OLD     = 1; // known to no filter: pin it to base
const digest_reason_t DIGEST_LEARN   = 2; // known to a filter slot that learns
const digest_reason_t DIGEST_CLOSING = 3; // a pinned flow sent FIN or RST
const digest_reason_t DIGEST_OPENING = 4; // a pinned flow sent SYN: its 5-tuple is in use again

// Table sizes. A table that is full refuses the next row; the controller then postpones changes.
const int VIP_ROWS          = 1024;
const int VIP_FRAGMENT_ROWS = 1024;
const int SLOT_ROWS         = 1048576;
const int SLOT_VERSION_ROWS = 3145728;
const int SLOT_PREFIX_ROWS  = 131072;
const int SLOT_VERSION_PREFIX_ROWS = 131072;
const int PIN_ROWS          = 131072;
const int SERVER_ID_ROWS    = 8192;
const int BACKEND_ROWS      = 8192;
const int ROUTE_ROWS        = 4096;
const int NEIGHBOUR_ROWS    = 8192;
const int OWN_ADDRESS_ROWS  = 2048;
const int INTERFACE_ROWS    = 512;
const bit<32> POOLS         = 4096;
const bit<32> BACKENDS      = 8192;
