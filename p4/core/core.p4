// SPDX-License-Identifier: Apache-2.0
// The load balancer without its architecture. A shell includes, in this order:
//
//   core/types.p4 core/headers.p4 core/metadata.p4
//   its services, of the same signatures in every shell: SWITCH_IDLE_TIMEOUT, Switch{Flow,Source,Filter}Hash[Ipv6],
//   SwitchFilterSlot, SwitchCounter, SwitchMeter, SwitchTruncate
//   core/core.p4
//
// and gives its own parser, ingress and deparser, which call those of the core.

#include "parser.p4"
#include "deparser.p4"
#include "guard.p4"
#include "vip.p4"
#include "return_path.p4"
#include "own_address.p4"
#include "neighbours.p4"
#include "flow_hash.p4"
#include "hint.p4"
#include "pin.p4"
#include "slot.p4"
#include "version.p4"
#include "filters.p4"
#include "backend.p4"
#include "load_balancer.p4"
#include "router.p4"
#include "tunnel.p4"
#include "rewrite.p4"
#include "limit.p4"
#include "answer.p4"
#include "pipeline.p4"
