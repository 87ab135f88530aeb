// SPDX-License-Identifier: Apache-2.0
// What the core asks of its architecture, by v1model's externs.

#define SWITCH_IDLE_TIMEOUT support_timeout = true;

// CRC32 (IEEE) and CRC16 (ARC) of the 5-tuple in network order.
control SwitchFlowHash(in flow_t flow, out bit<32> crc32, out bit<16> crc16) {
    apply {
        hash(crc32, HashAlgorithm.crc32, 32w0,
             { flow.source_address, flow.target_address, flow.protocol, flow.source_port, flow.target_port },
             64w0x100000000);
        hash(crc16, HashAlgorithm.crc16, 16w0,
             { flow.source_address, flow.target_address, flow.protocol, flow.source_port, flow.target_port },
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
