// SPDX-License-Identifier: Apache-2.0
//
//   flow digest ───────┐
//   neighbour digest ──┼─> meter ──red──> not raised, not answered; counted
//   answer ────────────┘
//
// A flood cannot starve the controller, nor make the switch shout. Answers to ARP and NDP have no limit: who floods us with pings
// must not make us deaf to our neighbours, and they are as many as the questions of our own links.

control SwitchLimit(inout metadata_t meta) {
    SwitchMeter(LIMITS) digest_meter;
    SwitchCounter(LIMITS) limited;

    apply {
        limit_t limit = LIMIT_NEIGHBOUR_DIGESTS;
        bool is_red;
        if (meta.answer > ANSWER_NEIGHBOUR) {
            // What is answered instead of forwarded is no reason to pin its flow.
            limit = LIMIT_ANSWERS;
            meta.flow_digest = 0;
        } else if (meta.flow_digest != 0) {
            limit = LIMIT_FLOW_DIGESTS;
        }
        digest_meter.apply((bit<32>)limit, is_red);
        if (is_red) {
            limited.apply((bit<32>)limit);
            if (limit == LIMIT_ANSWERS) {
                meta.answer = ANSWER_NONE;
            }
            meta.flow_digest = 0;
            meta.neighbour_digest = 0;
        }
    }
}
