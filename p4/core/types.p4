// SPDX-License-Identifier: Apache-2.0
// The domain's quantities and limits. No raw bit<16> stands for one of these anywhere else.

typedef bit<48> mac_address_t;
typedef bit<32> ipv4_address_t;
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
const bit<32> DECISIONS = 16;

typedef bit<4> drop_reason_t;
const drop_reason_t DROP_NONE             = 0;
const drop_reason_t DROP_BAD_CHECKSUM     = 1; // IPv4 header
const drop_reason_t DROP_NO_BACKEND       = 2; // the slot has no row, or the backend has none
const drop_reason_t DROP_TTL              = 3;
const drop_reason_t DROP_NO_ROUTE         = 4;
const drop_reason_t DROP_NO_NEIGHBOUR     = 5;
const drop_reason_t DROP_NOT_IPV4         = 6; // neither IPv4 nor ARP, or cut short
const drop_reason_t DROP_ARP_NOT_FOR_US   = 7;
const bit<32> DROP_REASONS = 16;

// Why a flow digest was raised.
typedef bit<8> digest_reason_t;
const digest_reason_t DIGEST_OLD     = 1; // known to no filter: pin it to base
const digest_reason_t DIGEST_LEARN   = 2; // known to a filter slot that learns
const digest_reason_t DIGEST_CLOSING = 3; // a pinned flow sent FIN or RST
const digest_reason_t DIGEST_OPENING = 4; // a pinned flow sent SYN: its 5-tuple is in use again

// Table sizes. A table that is full refuses the next row; the controller then postpones changes.
const int VIP_ROWS          = 1024;
const int SLOT_ROWS         = 1048576;
const int SLOT_VERSION_ROWS = 3145728;
const int PIN_ROWS          = 131072;
const int BACKEND_ROWS      = 8192;
const int ROUTE_ROWS        = 4096;
const int NEIGHBOUR_ROWS    = 8192;
const int OWN_ADDRESS_ROWS  = 2048;
const bit<32> POOLS         = 4096;
const bit<32> BACKENDS      = 8192;
