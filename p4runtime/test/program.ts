// SPDX-License-Identifier: Apache-2.0
/** A small program for tests: a table of each kind of key, a digest, controller headers. */
import { P4InfoSchema } from '../generated/p4/config/v1/p4info_pb.ts';
import { parseText } from '../text-format.ts';

export const programText = `
pkg_info { arch: "v1model" }
tables {
  preamble { id: 33554433 name: "SwitchIngress.slots.slot" alias: "slot" }
  match_fields { id: 1 name: "pool" bitwidth: 16 match_type: EXACT }
  match_fields { id: 2 name: "slot" bitwidth: 16 match_type: EXACT }
  action_refs { id: 16777217 }
  const_default_action_id: 16777218
  direct_resource_ids: 318767105
  size: 65536
}
tables {
  preamble { id: 33554434 name: "SwitchIngress.route.route" alias: "route" }
  match_fields { id: 1 name: "destination" bitwidth: 128 match_type: LPM }
  action_refs { id: 16777219 }
  action_refs { id: 16777218 scope: DEFAULT_ONLY }
  size: 1024
}
tables {
  preamble { id: 33554435 name: "SwitchIngress.filter.rule" alias: "rule" }
  match_fields { id: 1 name: "source" bitwidth: 32 match_type: TERNARY }
  match_fields { id: 2 name: "port" bitwidth: 16 match_type: RANGE }
  match_fields { id: 3 name: "flag" bitwidth: 1 match_type: OPTIONAL }
  action_refs { id: 16777218 }
  size: 64
}
tables {
  preamble { id: 33554436 name: "SwitchIngress.version" alias: "version" }
  action_refs { id: 16777220 }
  size: 1
}
tables {
  preamble { id: 33554437 name: "SwitchIngress.pins.pin" alias: "pin" }
  match_fields { id: 1 name: "flow" bitwidth: 104 match_type: EXACT }
  action_refs { id: 16777221 }
  size: 1024
  idle_timeout_behavior: NOTIFY_CONTROL
}
actions {
  preamble { id: 16777217 name: "SwitchIngress.slots.set_slot" alias: "set_slot" }
  params { id: 1 name: "backend" bitwidth: 13 }
  params { id: 2 name: "unstable" bitwidth: 1 }
}
actions { preamble { id: 16777218 name: "NoAction" alias: "NoAction" } }
actions {
  preamble { id: 16777219 name: "SwitchIngress.route.forward" alias: "forward" }
  params { id: 1 name: "port" bitwidth: 9 }
  params { id: 2 name: "mac" bitwidth: 48 }
}
actions {
  preamble { id: 16777220 name: "SwitchIngress.set_version" alias: "set_version" }
  params { id: 1 name: "epoch" bitwidth: 8 }
}
actions {
  preamble { id: 16777221 name: "SwitchIngress.pins.set_backend" alias: "set_backend" }
  params { id: 1 name: "backend" bitwidth: 13 }
}
direct_counters {
  preamble { id: 318767105 name: "SwitchIngress.slots.packets" alias: "packets" }
  spec { unit: BOTH }
  direct_table_id: 33554433
}
counters { preamble { id: 301989889 name: "SwitchIngress.drops" alias: "drops" } spec { unit: PACKETS } size: 8 }
registers {
  preamble { id: 369098753 name: "SwitchIngress.filters.cells" alias: "cells" }
  type_spec { bitstring { bit { bitwidth: 8 } } }
  size: 65536
}
digests {
  preamble { id: 385875969 name: "learn_t" alias: "learn_t" }
  type_spec { struct { name: "learn_t" } }
}
controller_packet_metadata {
  preamble { id: 67108865 name: "packet_in" alias: "packet_in" }
  metadata { id: 1 name: "ingress_port" bitwidth: 9 }
  metadata { id: 2 name: "reason" bitwidth: 7 }
}
controller_packet_metadata {
  preamble { id: 67108866 name: "packet_out" alias: "packet_out" }
  metadata { id: 1 name: "egress_port" bitwidth: 16 }
}
type_info {
  structs {
    key: "learn_t"
    value {
      members { name: "source" type_spec { bitstring { bit { bitwidth: 32 } } } }
      members { name: "flow" type_spec { bitstring { bit { bitwidth: 104 } } } }
    }
  }
}
`;

export const program = parseText(P4InfoSchema, programText);
