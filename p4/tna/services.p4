// SPDX-License-Identifier: Apache-2.0
// What the core asks of its architecture, by TNA's externs.

#define SWITCH_IDLE_TIMEOUT idle_timeout = true;

// CRC32 (IEEE) of the 5-tuple in network order.
control SwitchFlowHash(in flow_t flow, out bit<32> crc32) {
    Hash<bit<32>>(HashAlgorithm_t.CRC32) hash;

    apply {
        crc32 = hash.get({ flow.source_address, flow.target_address, flow.protocol, flow.source_port,
                           flow.target_port });
    }
}

control SwitchFlowHashIpv6(in flow_t flow, in flow_ipv6_t addresses, out bit<32> crc32) {
    Hash<bit<32>>(HashAlgorithm_t.CRC32) hash;

    apply {
        crc32 = hash.get({ addresses.source_address, addresses.target_address, flow.protocol, flow.source_port,
                           flow.target_port });
    }
}

// CRC32 (IEEE) of the source address.
control SwitchSourceHash(in flow_t flow, out bit<32> crc32) {
    Hash<bit<32>>(HashAlgorithm_t.CRC32) hash;

    apply {
        crc32 = hash.get({ flow.source_address });
    }
}

control SwitchSourceHashIpv6(in flow_ipv6_t addresses, out bit<32> crc32) {
    Hash<bit<32>>(HashAlgorithm_t.CRC32) hash;

    apply {
        crc32 = hash.get({ addresses.source_address });
    }
}

// CRC16 (ARC) of the 5-tuple in network order.
control SwitchFilterHash(in flow_t flow, out bit<16> crc16) {
    Hash<bit<16>>(HashAlgorithm_t.CRC16) hash;

    apply {
        crc16 = hash.get({ flow.source_address, flow.target_address, flow.protocol, flow.source_port,
                           flow.target_port });
    }
}

control SwitchFilterHashIpv6(in flow_t flow, in flow_ipv6_t addresses, out bit<16> crc16) {
    Hash<bit<16>>(HashAlgorithm_t.CRC16) hash;

    apply {
        crc16 = hash.get({ addresses.source_address, addresses.target_address, flow.protocol, flow.source_port,
                           flow.target_port });
    }
}

// One filter slot: two rows of cells that hold the epoch in which they were set. `insert` sets both cells; `known` says
// whether both were set before. A register is accessed once per packet, so asking and setting are one step.
control SwitchFilterSlot(in filter_index_t index_a, in filter_index_t index_b, in epoch_t epoch, in bool insert,
                         out bit<1> known) {
    Register<epoch_t, filter_index_t>(65536) row_a;
    Register<epoch_t, filter_index_t>(65536) row_b;

    RegisterAction<epoch_t, filter_index_t, bit<1>>(row_a) ask_a = {
        void apply(inout epoch_t cell, out bit<1> was_set) {
            was_set = 0;
            if (cell == epoch) {
                was_set = 1;
            }
            if (insert) {
                cell = epoch;
            }
        }
    };

    RegisterAction<epoch_t, filter_index_t, bit<1>>(row_b) ask_b = {
        void apply(inout epoch_t cell, out bit<1> was_set) {
            was_set = 0;
            if (cell == epoch) {
                was_set = 1;
            }
            if (insert) {
                cell = epoch;
            }
        }
    };

    apply {
        bit<1> known_a = ask_a.execute(index_a);
        bit<1> known_b = ask_b.execute(index_b);
        known = 0;
        if (epoch != NOT_LIVE) {
            known = known_a & known_b;
        }
    }
}

// Packets and bytes, one cell per index.
control SwitchCounter(in bit<32> index)(bit<32> size) {
    Counter<bit<64>, bit<32>>(size, CounterType_t.PACKETS_AND_BYTES) cells;

    apply {
        cells.count(index);
    }
}

// Packets; a cell without rates holds nothing back.
control SwitchMeter(in bit<32> index, out bool is_red)(bit<32> size) {
    Meter<bit<32>>(size, MeterType_t.PACKETS) cells;

    apply {
        is_red = cells.execute(index) == (bit<8>)MeterColor_t.RED;
    }
}

// Unicast packets cannot be cut here. What stands behind the length that the IP header says is padding to who reads it.
control SwitchTruncate(in bit<32> octets) {
    apply {}
}
