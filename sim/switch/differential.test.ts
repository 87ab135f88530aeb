// SPDX-License-Identifier: Apache-2.0
/**
 * The model decides as the compiled program does, whatever both are told. EVENKEEL_SEED chooses other scripts,
 * EVENKEEL_RUNS multiplies their number.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WriteFailureCode } from '../../controller/core/event.ts';
import {
  type Column,
  type FilterSlot,
  PLAIN_VIP,
  type Row,
  type RowUpdate,
} from '../../controller/core/row.ts';
import { CompiledSwitch } from './compiled-switch.ts';
import { FastSwitch } from './fast-switch.ts';
import { type Flow, type Packet, programCapacity, type SimSwitch, type Verdict } from './sim-switch.ts';
import { collidingFlows } from './testing/colliding-flows.ts';
import { firstDifference, type Step, type Tally } from './testing/script.ts';

const seed = Number(process.env.EVENKEEL_SEED ?? 1);
const runFactor = Number(process.env.EVENKEEL_RUNS ?? 1);
const scriptCount = 20;
const stepsMax = 3_000;

const program = readFileSync(new URL('../../p4/build/evenkeel.json', import.meta.url), 'utf8');
/** Small, so that tables fill. */
const capacity = { vip: 4, slot: 9, slot_version: 9, pin: 6, backend: 5, route: 3, neighbour: 4 };

// ---- a small world: three vips, eight slots, four backends, flows that collide

const vips = [
  { targetAddress: 0x0a010064, protocol: 6, targetPort: 80 },
  { targetAddress: 0x0a010064, protocol: 17, targetPort: 53 },
  { targetAddress: 0xc0000264, protocol: 6, targetPort: 443 },
];
const pools = [1, 2, 4095];
const slotMasks = [3, 1, 0];
const flows: Flow[] = [
  ...collidingFlows(vips, 4, 6),
  ...[1, 2, 3, 4, 5, 6].map((n) => ({ sourceAddress: 0xc0a80000 + n, sourcePort: n, ...vips[n % 3]! })),
  // Nobody's, whatever a vip row says: ICMP has no ports.
  { sourceAddress: 0xc0a80001, sourcePort: 0, targetAddress: 0x0a010064, protocol: 1, targetPort: 0 },
  // From a backend to its client.
  { sourceAddress: 0x0a020001, sourcePort: 8080, targetAddress: 0xc0a80001, protocol: 6, targetPort: 1 },
];

const backendAddress = 0x0a020000;
const mac = 0x020000000001;

const opening: readonly Row[] = [
  ...vips.map((vip, index) => ({
    table: 'vip' as const,
    address: vip.targetAddress,
    protocol: vip.protocol,
    port: vip.targetPort,
    pool: pools[index]!,
    slotMask: slotMasks[index]!,
    ...PLAIN_VIP,
  })),
  ...pools.flatMap((pool, index) =>
    Array.from({ length: slotMasks[index]! + 1 }, (_, slot) => ({
      table: 'slot' as const,
      pool,
      slot,
      unstable: slot !== 3,
      pinsBase: slot !== 1,
      backend: 1 + (slot % 2),
    })),
  ),
  ...[1, 2, 3].map((backend) => ({
    table: 'backend' as const,
    backend,
    forwarding: 'nat' as const,
    address: backendAddress + backend,
    port: 8080,
  })),
  { table: 'route', prefix: backendAddress, prefixLength: 24, nextHop: undefined },
  ...[1, 2].map((n) => ({
    table: 'neighbour' as const,
    address: backendAddress + n,
    port: 2,
    sourceMac: mac,
    targetMac: mac + n,
    mtu: 0,
  })),
  {
    table: 'return_path',
    address: backendAddress + 1,
    protocol: 6,
    port: 8080,
    vipAddress: 0x0a010064,
    vipPort: 80,
  },
];
const prelude: readonly Step[] = opening.map((row) => ({
  kind: 'update',
  update: { operation: 'insert', row },
}));

// ---- scripts

const backend = fc.integer({ min: 0, max: 4 });
const pool = fc.constantFrom(...pools);
const slot = fc.constantFrom(0, 1, 2, 3);
const flow = fc.constantFrom(...flows);
const column = fc.constantFrom<Column>(0, 1, 2, 3);
const filter = fc.record({ epoch: fc.integer({ min: 0, max: 3 }), column, learn: fc.boolean() });

/** Rows by table; some do not fit the program's fields. */
const row: fc.Arbitrary<Row> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      table: fc.constant('version' as const),
      active: fc.constantFrom<FilterSlot>(0, 1, 2, 3),
      filters: fc.tuple(filter, filter, filter, filter),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ vip: fc.constantFrom(...flows), pool, slotMask: fc.constantFrom(0, 1, 3) }).map(
      ({ vip, pool, slotMask }): Row => ({
        table: 'vip',
        address: vip.targetAddress,
        protocol: vip.protocol,
        port: vip.targetPort,
        pool,
        slotMask,
        ...PLAIN_VIP,
      }),
    ),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      table: fc.constant('slot' as const),
      pool: fc.oneof({ weight: 50, arbitrary: pool }, { weight: 1, arbitrary: fc.constant(4096) }),
      slot,
      unstable: fc.constantFrom(true, true, true, false),
      pinsBase: fc.boolean(),
      backend,
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      table: fc.constant('slot_version' as const),
      pool,
      slot,
      column: fc.constantFrom(1, 2, 3),
      backend,
    }),
  },
  {
    weight: 10,
    arbitrary: fc
      .record({ flow, pool, backend, idleTimeoutMs: fc.constantFrom(0, 1000, 3000) })
      .map(({ flow: { sourceAddress, sourcePort, targetAddress, protocol }, ...rest }): Row => {
        // Its own pool as a rule: another flow's would hardly ever be hit.
        const own = vips.findIndex((vip) => vip.targetAddress === targetAddress && vip.protocol === protocol);
        return { table: 'pin', sourceAddress, sourcePort, ...rest, pool: pools[own] ?? rest.pool };
      }),
  },
  {
    weight: 2,
    // Backends 3 and 4 share a place.
    arbitrary: backend.map((id): Row => {
      const address = backendAddress + Math.min(id, 3);
      return { table: 'backend', backend: id, forwarding: 'nat', address, port: 8080 };
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        prefixLength: fc.constantFrom(0, 24, 31, 33),
        nextHop: fc.option(fc.constant(1), { nil: undefined }),
      })
      .map(
        (rest): Row => ({ table: 'route', prefix: rest.prefixLength === 0 ? 0 : backendAddress, ...rest }),
      ),
  },
  {
    weight: 1,
    arbitrary: backend.map(
      (id): Row => ({
        table: 'neighbour',
        address: backendAddress + id,
        port: 2,
        sourceMac: mac,
        targetMac: mac + id,
        mtu: 0,
      }),
    ),
  },
);

const update: fc.Arbitrary<RowUpdate> = fc.record({
  operation: fc.constantFrom('insert', 'insert', 'insert', 'modify', 'modify', 'modify', 'delete'),
  row,
});
const packet: fc.Arbitrary<Packet> = fc.record({
  flow,
  flags: fc.constantFrom('syn', 'syn', 'ack', 'ack', 'ack', 'fin', 'rst'),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 700, arbitrary: packet.map((packet): Step => ({ kind: 'packet', packet })) },
  { weight: 200, arbitrary: update.map((update): Step => ({ kind: 'update', update })) },
  { weight: 15, arbitrary: fc.integer({ min: 0, max: 900 }).map((forMs): Step => ({ kind: 'wait', forMs })) },
  { weight: 8, arbitrary: fc.constant<Step>({ kind: 'look' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
);
/** A switch that has lost its rows gets them again: an empty one has little to say. */
const scriptOf = (maxLength: number) =>
  fc
    .array(step, { maxLength, size: 'max' })
    .map((steps) => [
      ...prelude,
      ...steps.flatMap((each) => (each.kind === 'restart' ? [each, ...prelude] : each)),
    ]);

interface Search {
  runs: number;
  stepsMax: number;
  /** Looks for the shortest script that shows a difference: some hundred more scripts. */
  isShrinking: boolean;
  tally?: Tally;
}

/** Runs scripts until one finds a difference. @returns it, and its script behind the prelude */
function search(makeFirst: () => SimSwitch, makeSecond: () => SimSwitch, options: Search) {
  const property = fc.property(scriptOf(options.stepsMax), (steps) => {
    expect(firstDifference(steps, makeFirst(), makeSecond(), options.tally)).toBeUndefined();
  });
  const { counterexample } = fc.check(property, {
    seed,
    numRuns: options.runs,
    endOnFailure: !options.isShrinking,
  });
  if (counterexample === null) return { difference: undefined, steps: [] };
  const [steps] = counterexample;
  // In two new switches: a difference that needs more than its script would be none here.
  const difference = firstDifference(steps, makeFirst(), makeSecond());
  return { difference, steps: steps.slice(prelude.length) };
}

const fast = () => new FastSwitch({ capacity });
const compiled = () => new CompiledSwitch(program, { capacity });

describe('the model and the compiled program', () => {
  const tally: Tally = new Map();
  let falsePositives = 0;

  class CountingSwitch extends FastSwitch {
    override process(packet: Packet, now: number): Verdict {
      const verdict = super.process(packet, now);
      if (this.isFalsePositive) falsePositives += 1;
      return verdict;
    }
  }

  it(
    'take the same decision on every packet, raise the same digests, hold the same rows',
    () => {
      const counting = () => new CountingSwitch({ capacity, countFalsePositives: true });
      const runs = scriptCount * runFactor;
      const { difference, steps } = search(compiled, counting, { runs, stepsMax, isShrinking: true, tally });
      expect(difference, JSON.stringify(steps)).toBeUndefined();
    },
    120_000 * runFactor,
  );

  it('were told everything that there is to tell', () => {
    const answers = [
      ...['stable', 'pinned', 'filter', 'base', 'new', 'not ours', 'somebody', 'nobody'],
      ...['digest old', 'digest learn', 'digest closing', 'digest opening', 'idle pins'],
      ...['done', 'exists', 'missing', 'full', 'rejected', 'restart'],
      ...['slot', 'slot_version', 'pin', 'backend', 'vip', 'route', 'neighbour'].flatMap((table) =>
        ['insert', 'modify', 'delete'].map((operation) => `${operation} ${table}`),
      ),
    ];
    expect(answers.filter((answer) => !tally.has(answer))).toEqual([]);
    expect(falsePositives).toBeGreaterThan(0);
  });
});

describe('a mistake is found when', () => {
  const wide: Search = { runs: scriptCount, stepsMax, isShrinking: false };

  class DeafSlots extends FastSwitch {
    override apply(update: RowUpdate, now: number): WriteFailureCode | undefined {
      const isDeaf = update.row.table === 'slot' && update.operation === 'modify';
      return isDeaf ? undefined : super.apply(update, now);
    }
  }

  it.each<[string, () => SimSwitch]>([
    ['never mistakes one flow for another', () => new FastSwitch({ capacity, filters: 'perfect' })],
    ['does not obey changes of a slot', () => new DeafSlots({ capacity })],
    ['has room for one pin more', () => new FastSwitch({ capacity: { ...capacity, pin: capacity.pin + 1 } })],
  ])('the model %s', (_words, wrong) => {
    expect(search(compiled, wrong, wide).difference).toBeDefined();
  });

  it.each<[string, (json: ProgramJson) => void]>([
    [
      'asks the youngest filter slot first',
      (json) => {
        const { entries } = tableOf(json, 'oldest_filter');
        for (const entry of entries) entry.priority = entries.length + 1 - entry.priority;
      },
    ],
    [
      'hashes otherwise',
      (json) => {
        json.calculations.find(({ algo }) => algo === 'crc16')!.algo = 'crc32';
      },
    ],
  ])('the program %s', (_words, spoil) => {
    const wrong = spoiled(spoil);
    expect(search(() => new CompiledSwitch(wrong, { capacity }), fast, wide).difference).toBeDefined();
  });
});

describe('a mistake is told in a few steps when', () => {
  const fewSteps = 4;
  const narrow: Search = { runs: 100, stepsMax: 300, isShrinking: true };

  class EndingResets extends FastSwitch {
    override process({ flow, flags }: Packet, now: number): Verdict {
      return super.process({ flow, flags: flags === 'rst' ? 'fin' : flags }, now);
    }
  }

  it('the model takes a reset for an end: it asks to pin its flow', () => {
    const { difference, steps } = search(compiled, () => new EndingResets({ capacity }), narrow);
    expect(difference).toMatch(/"flags":"rst".*"decision":"base".*, but .*"reason":"old"/);
    expect(steps.length).toBeLessThanOrEqual(fewSteps);
  });

  it('the model forgets everybody: a flow that has opened is unknown at its next packet', () => {
    const wrong = () => new FastSwitch({ capacity, filters: 'off' });
    const { difference, steps } = search(compiled, wrong, narrow);
    expect(difference).toMatch(/"decision":"filter".*, but .*"decision":"(new|base)"/);
    expect(steps.length).toBeLessThanOrEqual(fewSteps);
  });

  it('the program pins nobody to base', () => {
    const wrong = spoiled(({ actions }) => {
      const setSlot = actions.find(({ name }) => name.endsWith('.set_slot'))!;
      setSlot.primitives = setSlot.primitives.filter((each) => !JSON.stringify(each).includes('pin_base'));
    });
    const { difference, steps } = search(() => new CompiledSwitch(wrong, { capacity }), fast, narrow);
    expect(difference).toMatch(/"decision":"base".*, but .*"reason":"old"/);
    expect(steps.length).toBeLessThanOrEqual(fewSteps);
  });
});

it('the room of a switch is what the program says', () => {
  const json = JSON.parse(program) as ProgramJson;
  const sizes = Object.keys(programCapacity).map((name) => [name, tableOf(json, name).max_size]);
  expect(programCapacity).toEqual(Object.fromEntries(sizes));
});

/** What the tests read or spoil of the compiler's output. */
interface ProgramJson {
  pipelines: { tables: ProgramTable[] }[];
  actions: { name: string; primitives: object[] }[];
  calculations: { algo: string }[];
}

interface ProgramTable {
  name: string;
  max_size: number;
  entries: { priority: number }[];
}

/** The program with a mistake in it. */
function spoiled(spoil: (json: ProgramJson) => void): string {
  const json = JSON.parse(program) as ProgramJson;
  spoil(json);
  return JSON.stringify(json);
}

function tableOf(json: ProgramJson, name: string): ProgramTable {
  return json.pipelines.flatMap(({ tables }) => tables).find((table) => table.name.endsWith(`.${name}`))!;
}
