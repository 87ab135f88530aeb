// SPDX-License-Identifier: Apache-2.0
/** Elections and the shared configuration, on a real etcd. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Role } from '../../ports/election.ts';
import { type EtcdProcess, startEtcd, whyNoEtcd } from '../../testing/etcd-process.ts';
import { until } from '../../testing/in-test.ts';
import { systemClock } from '../clock/system-clock.ts';
import { EtcdClient } from './etcd-client.ts';
import { etcdConfig } from './etcd-config.ts';
import { EtcdElection } from './etcd-election.ts';

const noEtcd = whyNoEtcd();
/** No leader of a test loses it because the machine has much else to do. */
const patientLeaseMs = 60_000;
let etcd: EtcdProcess;
let client: EtcdClient;
let prefix: string;
let places = 0;

beforeAll(async () => {
  if (noEtcd !== undefined) return;
  etcd = await startEtcd();
  client = new EtcdClient({ endpoints: [etcd.endpoint], timeoutMs: 30_000 });
});
afterAll(() => etcd?.close());
beforeEach(() => {
  prefix = `/test-${process.pid}-${++places}/`;
});

interface Candidate {
  name: string;
  election: EtcdElection;
  roles: Role[];
  last: () => Role | undefined;
}

/** Stands for election once those before it do. */
async function candidate(name: string, leaseMs = patientLeaseMs): Promise<Candidate> {
  const election = new EtcdElection(client, {
    prefix: `${prefix}leader/`,
    generationKey: `${prefix}generation`,
    candidate: { name, admin: `http://${name}` },
    leaseMs,
    clock: systemClock,
    log: () => {},
  });
  const roles: Role[] = [];
  election.start((role) => roles.push(role));
  onTestFinished(() => election.close());
  await until(() => roles.length > 0);
  return { name, election, roles, last: () => roles.at(-1) };
}

const isLeader = ({ last }: Candidate): boolean => last()?.kind === 'leader';

function termOf({ last, name }: Candidate): bigint {
  const role = last();
  if (role?.kind !== 'leader') throw new Error(`${name} does not lead`);
  return role.term;
}

describe.skipIf(noEtcd)(`an election by etcd${noEtcd ? `, skipped: ${noEtcd}` : ''}`, () => {
  it('is won by who came first; the others know him, and follow in their order with higher terms', async () => {
    const [a, b, c] = [await candidate('a'), await candidate('b'), await candidate('c')];
    expect(isLeader(a)).toBe(true);
    expect(b.last()).toEqual({
      kind: 'standby',
      leader: { name: 'a', admin: 'http://a' },
      problem: undefined,
    });
    const terms = [termOf(a)];
    await a.election.close();
    await until(() => isLeader(b));
    terms.push(termOf(b));
    await until(() => c.last()?.kind === 'standby' && JSON.stringify(c.last()).includes('"b"'));
    await b.election.close();
    await until(() => isLeader(c));
    terms.push(termOf(c));
    expect(terms).toEqual(terms.toSorted((x, y) => (x < y ? -1 : 1)));
    expect(new Set(terms).size).toBe(3);
    // Above every election id that a clock ever gave.
    expect(terms[0]! >> 64n).toBeGreaterThan(1_700_000_000_000n);
  });

  it('is over for a leader whose key is gone, and he stands again behind the others', async () => {
    const [a, b] = [await candidate('a'), await candidate('b')];
    const before = termOf(a);
    expect(a.election.fence).toBeDefined();
    await client.transact([], [{ delete: a.election.fence!.key }]);
    await until(() => a.roles.some((role, i) => i > 0 && role.kind === 'standby'));
    await until(() => isLeader(b));
    expect(a.election.fence).toBeUndefined();
    expect(termOf(b)).toBeGreaterThan(before);
    await until(() => JSON.stringify(a.last()).includes('"b"'));
  });

  it('is over for a leader who cannot reach etcd, before another can lead', async () => {
    const a = await candidate('a', 2_000);
    await until(() => isLeader(a));
    etcd.freeze();
    try {
      // A lease does not end while etcd stands still, so nobody else can lead yet.
      await until(() => !isLeader(a));
    } finally {
      etcd.thaw();
    }
    await until(() => isLeader(a));
    const terms = a.roles.flatMap((role) => (role.kind === 'leader' ? [role.term] : []));
    // So short a lease may be lost once more on a busy machine.
    expect(terms.length).toBeGreaterThanOrEqual(2);
    expect(terms).toEqual([...new Set(terms)].sort((x, y) => (x < y ? -1 : 1)));
  });
});

describe.skipIf(noEtcd)(`a configuration in etcd${noEtcd ? `, skipped: ${noEtcd}` : ''}`, () => {
  it('is what the first controller brought', async () => {
    const key = `${prefix}config`;
    const texts = await Promise.all(
      ['one', 'two', 'three'].map((text) => etcdConfig(client, key, text).read()),
    );
    expect(new Set(texts).size).toBe(1);
    expect(await etcdConfig(client, key, 'four').read()).toBe(texts[0]);
  });

  it('is replaced by one of those who read the same', async () => {
    const stores = ['a', 'b', 'c'].map(() => etcdConfig(client, `${prefix}config`, 'start'));
    await stores[0]!.read();
    const results = await Promise.allSettled(stores.map((store, i) => store.replace('start', `by ${i}`)));
    const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    expect(winners).toHaveLength(1);
    expect(await stores[2]!.read()).toBe(`by ${winners[0]}`);
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(refusals).toEqual(['changed', 'changed']);
  });

  it('tells who watches of every change, also of those while etcd was away', async () => {
    const store = etcdConfig(client, `${prefix}config`, 'start');
    await store.read();
    const seen: string[] = [];
    onTestFinished(store.watch(() => void store.read().then((text) => seen.push(text))));
    await until(() => seen.includes('start'));
    await store.replace('start', 'next');
    await until(() => seen.includes('next'));
  });

  it('is not larger than etcd takes', async () => {
    const store = etcdConfig(client, `${prefix}config`, 'start');
    await store.read();
    await expect(store.replace('start', 'x'.repeat(2 ** 20 + 1))).rejects.toMatchObject({
      code: 'unwritable',
    });
  });

  it('is asked of another endpoint when one is not there', async () => {
    const both = new EtcdClient({ endpoints: ['http://127.0.0.1:1', etcd.endpoint], timeoutMs: 30_000 });
    expect(await etcdConfig(both, `${prefix}config`, 'start').read()).toBe('start');
  });
});

describe('an endpoint that is no etcd', () => {
  it.each<[what: string, status: number, body: string, code: string]>([
    ['answers in HTML', 200, '<html>', 'unexpected'],
    ['answers something else', 200, '{"kvs":7}', 'unexpected'],
    ['refuses', 400, '{"message":"no","code":3}', 'refused'],
    ['has no leader', 503, '{"message":"etcdserver: no leader","code":14}', 'unavailable'],
  ])('%s: an error with a code', async (_, status, body, code) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const impostor = new EtcdClient({ endpoints: [`http://127.0.0.1:${port}`], timeoutMs: 30_000 });
    await expect(impostor.range('a')).rejects.toMatchObject({ code });
  });

  it('is not there: unavailable', async () => {
    const nobody = new EtcdClient({ endpoints: ['http://127.0.0.1:1'], timeoutMs: 30_000 });
    await expect(nobody.range('a')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(etcdConfig(nobody, 'a', '').read()).rejects.toMatchObject({ code: 'unreadable' });
  });
});
