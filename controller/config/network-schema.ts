// SPDX-License-Identifier: Apache-2.0
/** The shape of `network`: what the switch knows of the network around it. */
import { z } from 'zod';
import { configLimits, interfaceDefaults } from './config.ts';
import { addressField, integer, macField, networkField, scalar } from './field.ts';

const switchPort = scalar(integer(0, configLimits.switchPort)).describe('A port of the switch.');

const interfaceSchema = z
  .strictObject({
    port: switchPort,
    address: scalar(networkField)
      .optional()
      .describe(
        'Of the switch in this network; here and in `ipv6_address` one of a family, at least one in all.',
      ),
    ipv6_address: scalar(networkField).optional().describe('The same for IPv6.'),
    mac: scalar(macField)
      .optional()
      .meta({ otherwise: '`02:00:00:00:` and the port', description: 'Of the switch on this port.' }),
    mtu: scalar(integer(configLimits.mtu.least, configLimits.mtu.most, 'octets'))
      .default(interfaceDefaults.mtu)
      .describe('Of the link; 1280 at least with IPv6. What is too big is answered, not cut.'),
  })
  .meta({ anyOf: [{ required: ['address'] }, { required: ['ipv6_address'] }] })
  .describe('A network that the switch is on.');

export const networkSchema = z
  .strictObject({
    interfaces: z
      .array(interfaceSchema)
      .meta({ maxItems: configLimits.interfaces, description: 'Networks on link. They must not overlap.' }),
    tunnel: z
      .strictObject({
        ipv4: scalar(networkField)
          .optional()
          .describe(
            '/16 to /32, without bits beyond it. The flow chooses the rest, so that routers spread tunnels.',
          ),
        ipv6: scalar(networkField).optional().describe('/112.'),
      })
      .optional()
      .describe(
        'Source addresses of tunnels, for `forwarding: ipip`, `gre` and `gue`: one for each family of backends.',
      ),
    routes: z
      .array(
        z
          .strictObject({
            prefix: scalar(networkField).describe(
              'Without bits beyond the prefix length; one route a prefix.',
            ),
            next_hop: scalar(addressField).describe('On link, of the family of the prefix.'),
          })
          .describe('A network beyond a next hop.'),
      )
      .default([])
      .meta({
        maxItems: configLimits.routes,
        description: 'Where packets go that are for no network on link.',
      }),
    neighbours: z
      .array(
        z
          .strictObject({
            address: scalar(addressField).describe('On link.'),
            mac: scalar(macField).describe('Where frames to it are sent.'),
            port: switchPort,
          })
          .describe('A host whose MAC address is given.'),
      )
      .default([])
      .meta({
        maxItems: configLimits.neighbours,
        description:
          'Found by ARP and NDP, and asked again every minute; those given here are not asked for.',
      }),
  })
  .describe('What the switch knows of the network around it.');
