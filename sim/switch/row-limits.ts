// SPDX-License-Identifier: Apache-2.0
/** What every switch asks of a row before it looks at its tables: that the numbers fit the program's fields. */

import { ADDRESS_BITS, familyOf, networkOf } from '../../controller/core/address.ts';
import type { Address } from '../../controller/core/desired.ts';
import type { SwitchRow } from '../../controller/core/row.ts';
import { isPrefix } from './prefix-rows.ts';

/** p4/core/types.p4. */
const poolBits = 12;
const slotBits = 16;
const backendBits = 13;
const epochBits = 16;
const portBits = 9;
const l4PortBits = 16;
const protocolBits = 8;
const mtuBits = 16;
const hintBits = 64n;
const macBits = 48;

/** False for a row that a switch answers with INVALID_ARGUMENT. */
export function fitsProgram(row: SwitchRow): boolean {
  switch (row.table) {
    case 'version':
      return (
        fits(row.active, 2) &&
        row.filters.every(({ epoch, column }) => fits(epoch, epochBits) && fits(column, 2))
      );
    case 'vip':
      return fitsEndpoint(row) && fits(row.pool, poolBits) && fits(row.slotMask, slotBits);
    case 'vip_fragment':
      return (
        fitsAddress(row.address) &&
        fits(row.protocol, protocolBits) &&
        fits(row.pool, poolBits) &&
        fits(row.slotMask, slotBits)
      );
    case 'server_id': {
      const { value, mask } = row;
      const isHint = value >= 0n && mask >> hintBits === 0n && (value & ~mask) === 0n;
      return fits(row.pool, poolBits) && isHint && mask !== 0n && fits(row.backend, backendBits);
    }
    case 'slot':
    case 'slot_prefix':
      return (
        fits(row.pool, poolBits) &&
        fits(row.slot, slotBits) &&
        fits(row.backend, backendBits) &&
        (row.table === 'slot' || isPrefix(row))
      );
    case 'slot_version':
    case 'slot_version_prefix':
      return (
        (row.table === 'slot_version' || isPrefix(row)) &&
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
        fitsAddress(row.sourceAddress) &&
        fits(row.sourcePort, l4PortBits) &&
        fits(row.backend, backendBits) &&
        row.idleTimeoutMs >= 0
      );
    case 'backend':
      return fits(row.backend, backendBits) && fitsAddress(row.address) && fits(row.port, l4PortBits);
    case 'return_path':
      return fitsEndpoint(row) && fitsAddress(row.vipAddress) && fits(row.vipPort, l4PortBits);
    case 'route': {
      const { prefix, prefixLength, nextHop } = row;
      const isLength = prefixLength >= 0 && prefixLength <= ADDRESS_BITS[familyOf(prefix)];
      const isPrefix = isLength && fitsAddress(prefix) && networkOf(prefix, prefixLength) === prefix;
      return isPrefix && (nextHop === undefined || fitsAddress(nextHop));
    }
    case 'neighbour': {
      const { address, port, sourceMac, targetMac } = row;
      return (
        fitsAddress(address) &&
        fits(port, portBits) &&
        fits(sourceMac, macBits) &&
        fits(targetMac, macBits) &&
        fits(row.mtu, mtuBits)
      );
    }
    case 'known_neighbour':
      return fitsAddress(row.address) && fits(row.mac, macBits) && fits(row.port, portBits);
    case 'own_address':
      return fitsAddress(row.address) && fits(row.mac, macBits);
    case 'interface':
      return fits(row.port, portBits) && fitsAddress(row.ipv4Address) && fitsAddress(row.ipv6Address);
    case 'tunnel_source':
      return fitsAddress(row.ipv4Address) && fits(row.ipv4Mask, 16) && fitsAddress(row.ipv6Address);
  }
}

function fitsEndpoint(of: { address: Address; protocol: number; port: number }): boolean {
  return fitsAddress(of.address) && fits(of.protocol, protocolBits) && fits(of.port, l4PortBits);
}

function fitsAddress(address: Address): boolean {
  if (typeof address === 'number') return fits(address, ADDRESS_BITS.ipv4);
  return address >= 0n && address >> BigInt(ADDRESS_BITS.ipv6) === 0n;
}

function fits(value: number, bits: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** bits;
}
