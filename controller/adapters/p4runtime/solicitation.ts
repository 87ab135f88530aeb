// SPDX-License-Identifier: Apache-2.0
/** "Who has this address?", as a packet for the switch to send. */
import type { PacketMetadata } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import { encodeValue } from '../../../p4runtime/values.ts';
import { arpOperations, encodeArp } from '../../../wire/arp.ts';
import { encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import type { Solicitation } from '../../ports/switch.ts';

const broadcastMac = 0xffff_ffff_ffff;

export function solicitationPacket(
  index: P4InfoIndex,
  { port, address, sourceAddress, sourceMac }: Solicitation,
): { payload: Uint8Array; metadata: PacketMetadata[] } {
  const arp = encodeArp({
    operation: arpOperations.request,
    senderMac: sourceMac,
    senderAddress: sourceAddress,
    targetMac: 0,
    targetAddress: address,
  });
  const payload = encodeEthernet({
    targetMac: broadcastMac,
    sourceMac,
    etherType: etherTypes.arp,
    payload: arp,
  });
  const { fields } = index.packetMetadata.get('packet_out');
  const metadata = fields.map(
    ({ id, name, bitwidth }): PacketMetadata => ({
      $typeName: 'p4.v1.PacketMetadata',
      metadataId: id,
      value: encodeValue(name === 'egress_port' ? port : 0, bitwidth, `packet_out.${name}`),
    }),
  );
  return { payload, metadata };
}
