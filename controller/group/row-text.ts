// SPDX-License-Identifier: Apache-2.0
/** A row in one line, with addresses as people write them. */
import { formatAddress } from '../core/address.ts';
import type { Address } from '../core/desired.ts';
import type { Row } from '../core/row.ts';

const addressFields: ReadonlySet<string> = new Set([
  'address',
  'sourceAddress',
  'vipAddress',
  'prefix',
  'nextHop',
  'ipv4Address',
  'ipv6Address',
]);

/** 'slot pool=1 slot=7 unstable=false pinsBase=false backend=2'. */
export function rowText(row: Row): string {
  if (row.table === 'version') {
    const filters = row.filters.map(
      ({ epoch, column, learn }) => `${epoch}/${column}${learn ? '/learn' : ''}`,
    );
    return `version active=${row.active} epoch/column=${filters.join(',')}`;
  }
  const fields = Object.entries(row).filter(([name, value]) => name !== 'table' && value !== undefined);
  return [row.table, ...fields.map(([name, value]) => `${name}=${fieldText(name, value)}`)].join(' ');
}

function fieldText(name: string, value: unknown): string {
  if (addressFields.has(name)) return formatAddress(value as Address);
  return /mac$/i.test(name) ? macText(value as number) : String(value);
}

function macText(mac: number): string {
  const digits = mac.toString(16).padStart(12, '0');
  return digits.match(/../g)!.join(':');
}
