// SPDX-License-Identifier: Apache-2.0
/** What every switch asks of a row before it looks at its tables: that the numbers fit the program's fields. */

import type { Row } from '../../controller/core/row.ts';

/** p4/core/types.p4. */
const poolBits = 12;
const slotBits = 16;
const backendBits = 13;
const epochBits = 16;
const portBits = 9;
const l4PortBits = 16;
const protocolBits = 8;
const addressBits = 32;
const macBits = 48;

/** False for a row that a switch answers with INVALID_ARGUMENT. */
export function fitsProgram(row: Row): boolean {
  switch (row.table) {
    case 'version':
      return (
        fits(row.active, 2) &&
        row.filters.every(({ epoch, column }) => fits(epoch, epochBits) && fits(column, 2))
      );
    case 'vip':
      return fitsEndpoint(row) && fits(row.pool, poolBits) && fits(row.slotMask, slotBits);
    case 'slot':
      return fits(row.pool, poolBits) && fits(row.slot, slotBits) && fits(row.backend, backendBits);
    case 'slot_version':
      return (
        fits(row.pool, poolBits) &&
        fits(row.slot, slotBits) &&
        // The program never asks for a row of column 0: that is base.
        row.column >= 1 &&
        fits(row.column, 2) &&
        fits(row.backend, backendBits)
      );
    case 'pin':
      return (
        fits(row.pool, poolBits) &&
        fits(row.sourceAddress, addressBits) &&
        fits(row.sourcePort, l4PortBits) &&
        fits(row.backend, backendBits) &&
        row.idleTimeoutMs >= 0
      );
    case 'backend':
      return fits(row.backend, backendBits) && fits(row.address, addressBits) && fits(row.port, l4PortBits);
    case 'return_path':
      return fitsEndpoint(row) && fits(row.vipAddress, addressBits) && fits(row.vipPort, l4PortBits);
    case 'route': {
      const { prefix, prefixLength, nextHop = 0 } = row;
      const isPrefix = fits(prefix, addressBits) && prefix % 2 ** (addressBits - prefixLength) === 0;
      return prefixLength >= 0 && prefixLength <= addressBits && isPrefix && fits(nextHop, addressBits);
    }
    case 'neighbour': {
      const { address, port, sourceMac, targetMac } = row;
      return (
        fits(address, addressBits) &&
        fits(port, portBits) &&
        fits(sourceMac, macBits) &&
        fits(targetMac, macBits)
      );
    }
    case 'known_neighbour':
      return fits(row.address, addressBits) && fits(row.mac, macBits) && fits(row.port, portBits);
    case 'own_address':
      return fits(row.address, addressBits) && fits(row.mac, macBits);
  }
}

function fitsEndpoint(of: { address: number; protocol: number; port: number }): boolean {
  return fits(of.address, addressBits) && fits(of.protocol, protocolBits) && fits(of.port, l4PortBits);
}

function fits(value: number, bits: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** bits;
}
