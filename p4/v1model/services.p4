// SPDX-License-Identifier: Apache-2.0
// What the core asks of its architecture, by v1model's externs.

#define SWITCH_IDLE_TIMEOUT support_timeout = true;

// CRC32 (IEEE) of the 5-tuple in network order.
control SwitchFlowHash(in flow_t flow, out bit<32> crc32) {
    apply {
        hash(crc32, HashAlgorithm.crc32, 32w0,
             { flow.source_address, flow.target_address, flow.protocol, flow.source_port, flow.target_port },
             64w0x100000000);
    }
}

control SwitchFlowHashIpv6(in flow_t flow, in flow_ipv6_t addresses, out bit<32> crc32) {
    apply {
        hash(crc32, HashAlgorithm.crc32, 32w0,
             { addresses.source_address, addresses.target_address, flow.protocol, flow.source_port, flow.target_port },
             64w0x100000000);
    }
}

// CRC32 (IEEE) of the source address.
control SwitchSourceHash(in flow_t flow, out bit<32> crc32) {
    apply {
        hash(crc32, HashAlgorithm.crc32, 32w0, { flow.source_address }, 64w0x100000000);
    }
}

control SwitchSourceHashIpv6(in flow_ipv6_t addresses, out bit<32> crc32) {
    apply {
        hash(crc32, HashAlgorithm.crc32, 32w0, { addresses.source_address }, 64w0x100000000);
    }
}

// CRC16 (ARC) of the 5-tuple in network order.
control SwitchFilterHash(in flow_t flow, out bit<16> crc16) {
    apply {
        hash(crc16, HashAlgorithm.crc16, 16w0,
             { flow.source_address, flow.target_address, flow.protocol, flow.source_port, flow.target_port },
             32w0x10000);
    }
}

control SwitchFilterHashIpv6(in flow_t flow, in flow_ipv6_t addresses, out bit<16> crc16) {
    apply {
        hash(crc16, HashAlgorithm.crc16, 16w0,
             { addresses.source_address, addresses.target_address, flow.protocol, flow.source_port, flow.target_port },
             32w0x10000);
    }
}

// One filter slot: two rows of cells that hold the epoch in which they were set. `insert` sets both cells; `known` says
// whether both were set before.
control SwitchFilterSlot(in filter_index_t index_a, in filter_index_t index_b, in epoch_t epoch, in bool insert,
                         out bit<1> known) {
    register<epoch_t>(65536) row_a;
    register<epoch_t>(65536) row_b;

    apply {
        epoch_t cell_a;
        epoch_t cell_b;
        @atomic {
            row_a.read(cell_a, (bit<32>)index_a);
            row_b.read(cell_b, (bit<32>)index_b);
            if (insert) {
                row_a.write((bit<32>)index_a, epoch);
                row_b.write((bit<32>)index_b, epoch);
            }
        }
        known = 0;
        if (epoch != NOT_LIVE && cell_a == epoch && cell_b == epoch) {
            known = 1;
        }
    }
}

// Packets and bytes, one cell per index.
control SwitchCounter(in bit<32> index)(bit<32> size) {
    counter(size, CounterType.packets_and_bytes) cells;

    apply {
        cells.count(index);
    }
}

// Packets; a cell without rates holds nothing back.
control SwitchMeter(in bit<32> index, out bool is_red)(bit<32> size) {
    meter(size, MeterType.packets) cells;

    apply {
        bit<2> colour;
        cells.execute_meter(index, colour);
        is_red = colour == 2;
    }
}

// The frame that leaves ends after so many octets.
control SwitchTruncate(in bit<32> octets) {
    apply {
        truncate(octets);
    }
}
