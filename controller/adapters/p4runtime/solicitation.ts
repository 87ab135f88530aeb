// SPDX-License-Identifier: Apache-2.0
/** "Who has this address?", as a frame for the switch to send. */
import { arpOperations, encodeArp } from '../../../wire/arp.ts';
import { encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import type { Solicitation } from '../../ports/switch.ts';

const broadcastMac = 0xffff_ffff_ffff;

export function solicitationFrame({ address, sourceAddress, sourceMac }: Solicitation): Uint8Array {
  const payload = encodeArp({
    operation: arpOperations.request,
    senderMac: sourceMac,
    senderAddress: sourceAddress,
    targetMac: 0,
    targetAddress: address,
  });
  return encodeEthernet({ targetMac: broadcastMac, sourceMac, etherType: etherTypes.arp, payload });
}
