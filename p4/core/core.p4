// SPDX-License-Identifier: Apache-2.0
// The load balancer without its architecture. A shell includes, in this order:
//
//   core/types.p4 core/headers.p4 core/metadata.p4
//   its services: SWITCH_IDLE_TIMEOUT, SwitchFlowHash, SwitchFilterSlot, SwitchCounter (same signatures in every shell)
//   core/core.p4
//
// and gives its own parser, ingress and deparser, which call those of the core.

#include "parser.p4"
#include "deparser.p4"
#include "vip.p4"
#include "pin.p4"
#include "slot.p4"
#include "version.p4"
#include "filters.p4"
#include "backend.p4"
#include "load_balancer.p4"
#include "arp.p4"
#include "router.p4"
#include "pipeline.p4"
