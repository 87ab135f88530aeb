// SPDX-License-Identifier: Apache-2.0
/**
 * Pages show parts of a configuration; this completes them to one that can be checked, by the rule that docs/README.md tells:
 * what is not shown is that of the frame.
 */
import { parse } from 'yaml';

type Mapping = Record<string, unknown>;

const frame = {
  network: {
    interfaces: [
      { port: 1, address: '10.0.1.1/24', ipv6_address: '2001:db8:1::1/64' },
      { port: 2, address: '10.0.2.1/24', ipv6_address: '2001:db8:2::1/64' },
    ],
    tunnel: { ipv4: '10.0.9.0/24', ipv6: '2001:db8:9::/112' },
  },
  vips: [] as Mapping[],
};

const vip = { name: 'web', address: '10.0.1.100', port: 80 };
const backends = [
  { name: 'web-1', address: '10.0.2.11', port: 8080 },
  { name: 'web-2', address: '10.0.2.12', port: 8080 },
];

/** @returns the document as it is when the text shows the whole of it */
export function completed(text: string): unknown {
  const shown = (parse(text) ?? {}) as Mapping;
  const network = { ...frame.network, ...(shown.network as Mapping | undefined) };
  // A network of its own has backends of its own.
  const vips = ((shown.vips ?? frame.vips) as Mapping[]).map((each) =>
    'backends' in each || 'network' in shown ? { ...vip, ...each } : { ...vip, ...each, backends },
  );
  return { ...shown, network, vips };
}
