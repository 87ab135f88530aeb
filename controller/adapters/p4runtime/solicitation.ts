// SPDX-License-Identifier: Apache-2.0
/** "Who has this address?", as a frame for the switch to send: ARP or NDP. */
import { arpOperations, encodeArp } from '../../../wire/arp.ts';
import { encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import { protocols } from '../../../wire/ipv4.ts';
import { encodeIpv6, ipv6Defaults } from '../../../wire/ipv6.ts';
import {
  encodeNeighbourSolicitation,
  multicastMac,
  ndpHopLimit,
  solicitedNodeAddress,
} from '../../../wire/ndp.ts';
import { requireIpv4, requireIpv6 } from '../../core/address.ts';
import type { Solicitation } from '../../ports/switch.ts';

const broadcastMac = 0xffff_ffff_ffff;

export function solicitationFrame(solicitation: Solicitation): Uint8Array {
  return typeof solicitation.address === 'number' ? arpFrame(solicitation) : ndpFrame(solicitation);
}

function arpFrame({ address, sourceAddress, sourceMac }: Solicitation): Uint8Array {
  const payload = encodeArp({
    operation: arpOperations.request,
    senderMac: sourceMac,
    senderAddress: requireIpv4(sourceAddress),
    targetMac: 0,
    targetAddress: requireIpv4(address),
  });
  return encodeEthernet({ targetMac: broadcastMac, sourceMac, etherType: etherTypes.arp, payload });
}

function ndpFrame({ address, sourceAddress, sourceMac }: Solicitation): Uint8Array {
  const targetAddress = requireIpv6(address);
  const addresses = { source: requireIpv6(sourceAddress), target: solicitedNodeAddress(targetAddress) };
  const payload = encodeIpv6({
    ...ipv6Defaults,
    ...addresses,
    protocol: protocols.icmpv6,
    hopLimit: ndpHopLimit,
    payload: encodeNeighbourSolicitation({ targetAddress, sourceMac }, addresses),
  });
  const targetMac = multicastMac(addresses.target);
  return encodeEthernet({ targetMac, sourceMac, etherType: etherTypes.ipv6, payload });
}
