// SPDX-License-Identifier: Apache-2.0
/** For each row of compat-table.ts: how to bring the situation about, and what then happened, in the words of the row. */

import { clone, create } from '@bufbuild/protobuf';
import { P4InfoSchema } from '../../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { CounterData, Entity, TableEntry } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  CapabilitiesRequestSchema,
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  EntitySchema,
  ForwardingPipelineConfigSchema,
  Update_Type,
  WriteRequest_Atomicity,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { BehaviourName } from '../compat-table.ts';
import { Code } from '../refusal.ts';
import { profileCases } from './compat-cases-profiles.ts';
import { streamCases } from './compat-cases-stream.ts';
import { type EntityInit, outcome, type Stage, update } from './compat-stage.ts';
import { compat, features, type TestProgram } from './harness.ts';

export interface Case {
  program: TestProgram;
  /** Nobody is primary and there is no program yet. @returns what happened */
  run: (stage: Stage) => Promise<string>;
}

const { INSERT, MODIFY, DELETE } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);
const text = (value: string) => new TextEncoder().encode(value);

/** A primary with the program loaded comes first. */
const loaded = (program: TestProgram, run: Case['run']): Case => ({
  program,
  async run(stage) {
    await stage.ready();
    return run(stage);
  },
});

const exact = (fieldId: number, ...value: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'exact' as const, value: { value: bytes(...value) } },
});
const range = (fieldId: number, low: number[], high: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'range' as const, value: { low: bytes(...low), high: bytes(...high) } },
});
const lpm = (fieldId: number, prefixLen: number, ...value: number[]) => ({
  fieldId,
  fieldMatchType: { case: 'lpm' as const, value: { value: bytes(...value), prefixLen } },
});

const call = (stage: Stage, name: string, ...param: number[]) => ({
  type: {
    case: 'action' as const,
    value: {
      actionId: stage.index.actions.get(name).id,
      params: param.length > 0 ? [{ paramId: 1, value: bytes(...param) }] : [],
    },
  },
});
const entry = (stage: Stage, table: string, value: object): EntityInit => ({
  case: 'tableEntry',
  value: { tableId: stage.index.tables.get(table).id, ...value },
});
const small = (stage: Stage, key: number, value: object = {}): EntityInit =>
  entry(stage, 'exact_small', {
    match: [exact(1, key), exact(2, 1)],
    action: call(stage, 'forward', 5),
    ...value,
  });
const rule = (stage: Stage, match: object[], value: object = {}): EntityInit =>
  entry(stage, 'rules', { match, priority: 10, action: call(stage, 'drop'), ...value });
const idle = (stage: Stage, value: object): EntityInit =>
  entry(stage, 'source_timeout', { match: [exact(1, 7)], action: call(stage, 'NoAction'), ...value });
const counter = (stage: Stage, value: object, name = 'by_port'): EntityInit => ({
  case: 'counterEntry',
  value: { counterId: stage.index.counters.get(name).id, ...value },
});
const data = { packetCount: 3n, byteCount: 4n };

const tableEntries = (entities: Entity[]): TableEntry[] =>
  entities.map(({ entity }) => {
    if (entity.case !== 'tableEntry') throw new Error(`not a table entry: ${entity.case}`);
    return entity.value;
  });
const counts = (entity: Entity | undefined) =>
  (entity?.entity.value as { data?: CounterData } | undefined)?.data ?? {
    packetCount: -1n,
    byteCount: -1n,
  };

const config = (program: TestProgram, init: object) => ({
  config: create(ForwardingPipelineConfigSchema, {
    p4info: program.p4info,
    p4DeviceConfig: program.json,
    ...init,
  }),
});

const policedMatch = [exact(1, 7)];
const meterConfig = { cir: 1n, cburst: 1n, pir: 1n, pburst: 1n };

export const cases: Record<BehaviourName, Case> = {
  ...streamCases,
  ...profileCases,

  'read-messages': loaded(features, async (stage) => {
    const routes = Array.from({ length: 5000 }, (_, key) =>
      update(
        INSERT,
        entry(stage, 'routes', {
          match: [lpm(1, 48, key >> 8, key & 255)],
          action: call(stage, 'drop'),
        }),
      ),
    );
    await stage.writeAll(routes);
    const all = entry(stage, 'routes', {});
    const pieces = await stage.client.readPieces([create(EntitySchema, { entity: all })]);
    return pieces.length === 1 ? 'one message' : 'several messages';
  }),

  'verify-bad-json': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      return stage.push(ConfigAction.VERIFY, config(features, { p4DeviceConfig: text('hello') }));
    },
  },
  'bad-p4info': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      const p4info = clone(P4InfoSchema, features.p4info);
      p4info.tables[0]!.matchFields[0]!.match = { case: 'otherMatchType', value: 'special' };
      return stage.push(ConfigAction.VERIFY_AND_COMMIT, config(features, { p4info }));
    },
  },
  'bad-json': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      return stage.push(ConfigAction.VERIFY_AND_COMMIT, config(features, { p4DeviceConfig: text('hello') }));
    },
  },
  'no-device-config': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      return stage.push(ConfigAction.VERIFY_AND_COMMIT, config(features, { p4DeviceConfig: bytes() }));
    },
  },
  'commit-nothing': {
    program: features,
    async run(stage) {
      await stage.ready();
      return stage.push(ConfigAction.COMMIT);
    },
  },
  'commit-with-config': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      await stage.client.push(ConfigAction.VERIFY_AND_SAVE);
      const code = await stage.push(ConfigAction.COMMIT, config(features, {}));
      return code === 'accepted' ? 'config ignored' : code;
    },
  },
  'save-again': {
    program: features,
    async run(stage) {
      await stage.client.openStream().arbitrate(1n);
      await stage.client.push(ConfigAction.VERIFY_AND_SAVE);
      return stage.push(ConfigAction.VERIFY_AND_SAVE);
    },
  },
  'config-before-push': {
    program: features,
    async run(stage) {
      try {
        const { config: pushed } = await stage.client.getConfig();
        return pushed === undefined ? 'no config' : 'a config';
      } catch (cause) {
        return Code[(cause as { code: number }).code]!;
      }
    },
  },
  'reconcile-arrays': loaded(features, async (stage) => {
    await stage.write(INSERT, small(stage, 1));
    const code = await stage.push(ConfigAction.RECONCILE_AND_COMMIT);
    if (code !== 'accepted') return code;
    const entries = await stage.read(entry(stage, 'exact_small', {}));
    return entries.length === 1 ? 'state is kept' : 'state is lost';
  }),
  'reconcile-defaults': loaded(features, async (stage) => {
    // Of a program that simple_switch_grpc can reconcile.
    const p4info = clone(P4InfoSchema, features.p4info);
    p4info.counters = [];
    p4info.tables = p4info.tables.filter(({ preamble }) => preamble?.alias !== 'fixed');
    const plain = config(features, { p4info });
    await stage.client.push(ConfigAction.VERIFY_AND_COMMIT, plain);
    const digestId = stage.index.digests.get('seen_t').id;
    const digest: EntityInit = { case: 'digestEntry', value: { digestId, config: { maxListSize: 1 } } };
    const isDefaultAction = true;
    const forward = call(stage, 'forward', 3);
    await stage.write(INSERT, digest);
    await stage.write(MODIFY, entry(stage, 'keyless', { isDefaultAction, action: forward }));
    const code = await stage.push(ConfigAction.RECONCILE_AND_COMMIT, plain);
    if (code !== 'accepted') return code;
    const [kept] = tableEntries(await stage.read(entry(stage, 'keyless', { isDefaultAction })));
    const action = kept?.action?.type;
    const isKept = action?.case === 'action' && action.value.actionId === forward.type.value.actionId;
    const hasDigest = (await stage.readCode(digest)) === 'read';
    return isKept && hasDigest ? 'both are kept' : isKept || hasDigest ? 'one is kept' : 'both are lost';
  }),

  atomicity: loaded(features, (stage) =>
    stage.write(INSERT, small(stage, 1), { atomicity: WriteRequest_Atomicity.ROLLBACK_ON_ERROR }),
  ),
  'no-entity': loaded(features, async (stage) => {
    const [write, read] = [
      await stage.write(INSERT, { case: undefined }),
      await stage.readCode({ case: undefined }),
    ];
    return write === read ? write : `${write} ${read}`;
  }),
  'table-full': loaded(features, (stage) =>
    stage.writeAll([1, 2, 3, 4, 5].map((key) => update(INSERT, small(stage, key)))),
  ),
  'const-table-insert': loaded(features, (stage) =>
    stage.write(INSERT, entry(stage, 'fixed', { match: [exact(1, 9)], action: call(stage, 'drop') })),
  ),
  'const-table-change': loaded(features, async (stage) => {
    const fixed = entry(stage, 'fixed', { match: [exact(1, 8, 0)], action: call(stage, 'drop') });
    const [modify, remove] = [await stage.write(MODIFY, fixed), await stage.write(DELETE, fixed)];
    return modify === remove ? modify : `${modify} ${remove}`;
  }),
  'keyless-insert': loaded(features, (stage) =>
    stage.write(INSERT, entry(stage, 'keyless', { action: call(stage, 'NoAction') })),
  ),
  'modify-without-action': loaded(features, async (stage) => {
    await stage.write(INSERT, small(stage, 1));
    const code = await stage.write(MODIFY, small(stage, 1, { action: undefined, counterData: data }));
    if (code !== 'accepted') return code;
    const [read] = tableEntries(await stage.read(entry(stage, 'exact_small', { counterData: {} })));
    const isSame = read?.action?.type.case === 'action' && read.counterData?.packetCount === 3n;
    return isSame ? 'the action stays' : 'the action goes';
  }),
  'modify-without-meter': loaded(compat, async (stage) => {
    const policed = { match: policedMatch, action: call(stage, 'metered', 1) };
    await stage.write(INSERT, entry(stage, 'policed', { ...policed, meterConfig }));
    await stage.write(MODIFY, entry(stage, 'policed', policed));
    const [read] = tableEntries(await stage.read(entry(stage, 'policed', { meterConfig: {} })));
    return read?.meterConfig?.cir === 1n ? 'the meter stays' : 'the meter is reset';
  }),
  'value-too-wide': loaded(features, async (stage) => {
    const key = await stage.write(INSERT, small(stage, 1, { match: [exact(1, 1), exact(2, 2, 0)] }));
    const parameter = await stage.write(INSERT, small(stage, 1, { action: call(stage, 'forward', 2, 0) }));
    return key === parameter ? key : `${key} ${parameter}`;
  }),
  'empty-value': loaded(features, async (stage) => {
    const code = await stage.write(INSERT, small(stage, 1, { match: [exact(1), exact(2, 1)] }));
    if (code !== 'accepted') return code;
    const zero = await stage.write(DELETE, small(stage, 0));
    return zero === 'accepted' ? 'zero' : 'something else';
  }),
  'is-const-written': loaded(features, async (stage) => {
    const code = await stage.write(INSERT, small(stage, 1, { isConst: true }));
    return code === 'accepted' ? 'ignored' : code;
  }),
  'lpm-of-odd-width': loaded(compat, (stage) =>
    stage.write(
      INSERT,
      entry(stage, 'labels', { match: [lpm(1, 8, 0x01, 0x20, 0x00)], action: call(stage, 'drop') }),
    ),
  ),
  'range-looks-full': loaded(features, (stage) => stage.write(INSERT, rule(stage, [range(2, [0], [0xff])]))),
  'full-range': loaded(features, (stage) => stage.write(INSERT, rule(stage, [range(2, [0], [0xff, 0xff])]))),
  'default-counter': loaded(features, async (stage) => {
    const isDefaultAction = true;
    const value = { isDefaultAction, action: call(stage, 'NoAction'), counterData: data };
    const code = await stage.write(MODIFY, entry(stage, 'exact_small', value));
    return code === 'accepted' ? 'counter data without effect' : code;
  }),
  'short-idle-timeout': loaded(features, async (stage) => {
    const code = await stage.write(INSERT, idle(stage, { idleTimeoutNs: 999_999n }));
    if (code !== 'accepted') return code;
    const stream = stage.client.openStream();
    await stream.arbitrate(2n);
    await stage.wait(2500);
    const told = await stream.collect(3n);
    return told.some((each) => each.case === 'idleTimeoutNotification') ? 'one millisecond' : 'never idle';
  }),

  'idle-metadata': loaded(features, async (stage) => {
    const code = await stage.write(INSERT, idle(stage, { idleTimeoutNs: 1_000_000n, metadata: bytes(7) }));
    if (code !== 'accepted') return code;
    const stream = stage.client.openStream();
    await stream.arbitrate(2n);
    await stage.wait(2500);
    for (const told of await stream.collect(3n)) {
      if (told.case !== 'idleTimeoutNotification') continue;
      return told.value.tableEntry[0]?.metadata[0] === 7 ? 'with metadata' : 'without metadata';
    }
    return 'not reported';
  }),

  'read-filters': loaded(features, async (stage) => {
    await stage.writeAll([1, 2].map((priority) => update(INSERT, rule(stage, [], { priority }))));
    const read = await stage.read(entry(stage, 'rules', { priority: 2 }));
    return read.length === 1 ? 'only what fits' : 'everything';
  }),
  'read-error': loaded(features, async (stage) => {
    const group: EntityInit = {
      case: 'packetReplicationEngineEntry',
      value: { type: { case: 'multicastGroupEntry', value: { multicastGroupId: 9 } } },
    };
    const code = await outcome(stage.read(group));
    if (code === 'NOT_FOUND') return 'its own code';
    return code === 'UNKNOWN' ? 'UNKNOWN with details' : code;
  }),
  'initial-entries-read': loaded(compat, (stage) => stage.readCode(entry(stage, 'preset', {}))),
  'counter-units': loaded(features, async (stage) => {
    await stage.inject(1, new Uint8Array(60));
    const cell = counter(stage, { index: { index: 0n } }, 'by_kind');
    const { packetCount, byteCount } = counts((await stage.read(cell))[0]);
    if (packetCount !== 1n) return `${packetCount} packets`;
    return byteCount === 60n ? 'packets and bytes' : 'packets';
  }),
  'const-entry-read': loaded(features, async (stage) => {
    const [first] = tableEntries(await stage.read(entry(stage, 'fixed', {})));
    return first?.isConst ? 'with is_const' : 'without is_const';
  }),
  'direct-of-all-tables': loaded(features, (stage) =>
    stage.readCode({ case: 'directCounterEntry', value: { tableEntry: {} } }),
  ),
  'direct-of-default': loaded(features, async (stage) => {
    const { id: tableId } = stage.index.tables.get('exact_small');
    const direct: EntityInit = {
      case: 'directCounterEntry',
      value: { tableEntry: { tableId, isDefaultAction: true }, data },
    };
    const [write, read] = [await stage.write(MODIFY, direct), await stage.readCode(direct)];
    return write === read ? write : `${write} ${read}`;
  }),
  'direct-of-missing-entry': loaded(features, async (stage) => {
    const { value } = small(stage, 1) as { value: object };
    const direct: EntityInit = { case: 'directCounterEntry', value: { tableEntry: value, data } };
    const [write, read] = [await stage.write(MODIFY, direct), await stage.readCode(direct)];
    return write === read ? write : `${write} ${read}`;
  }),
  'index-beyond-array': loaded(features, async (stage) => {
    const cell = counter(stage, { index: { index: 8n }, data });
    const [write, read] = [await stage.write(MODIFY, cell), await stage.readCode(cell)];
    return write === read ? write : `${write} ${read}`;
  }),
  'all-digests': loaded(features, (stage) => stage.readCode({ case: 'digestEntry', value: {} })),

  'all-cells-written': loaded(features, async (stage) => {
    const code = await stage.write(MODIFY, counter(stage, { data }));
    if (code !== 'accepted') return code;
    const cells = await stage.read(counter(stage, {}));
    const isWritten = cells.length === 8 && cells.every((cell) => counts(cell).packetCount === 3n);
    return isWritten ? 'every cell is written' : 'not every cell is written';
  }),
  'counter-delete': loaded(features, async (stage) => {
    const cell = counter(stage, { index: { index: 1n }, data });
    await stage.write(MODIFY, cell);
    const code = await stage.write(DELETE, cell);
    if (code !== 'accepted') return code;
    return counts((await stage.read(cell))[0]).packetCount === 0n
      ? 'the cell is reset'
      : 'the cell is not reset';
  }),
  'counter-without-data': loaded(features, async (stage) => {
    const index = { index: 1n };
    await stage.write(MODIFY, counter(stage, { index, data }));
    const code = await stage.write(MODIFY, counter(stage, { index }));
    if (code !== 'accepted') return code;
    const [cell] = await stage.read(counter(stage, { index }));
    return counts(cell).packetCount === 0n ? 'zero' : 'the cell stays';
  }),
  'peak-below-committed': loaded(compat, (stage) =>
    stage.write(
      INSERT,
      entry(stage, 'policed', {
        match: policedMatch,
        action: call(stage, 'metered', 1),
        meterConfig: { cir: 2n, cburst: 1n, pir: 1n, pburst: 1n },
      }),
    ),
  ),
  'meter-counter-data': loaded(compat, async (stage) => {
    const code = await stage.write(
      INSERT,
      entry(stage, 'policed', {
        match: policedMatch,
        action: call(stage, 'metered', 1),
        meterConfig,
        meterCounterData: { green: data },
      }),
    );
    return code === 'accepted' ? 'ignored' : code;
  }),
  'meter-burst': loaded(compat, (stage) =>
    stage.write(
      INSERT,
      entry(stage, 'policed', {
        match: policedMatch,
        action: call(stage, 'metered', 1),
        meterConfig: { cir: 1n, cburst: 2n ** 33n, pir: 1n, pburst: 2n ** 33n },
      }),
    ),
  ),
  register: loaded(compat, async (stage) => {
    const registerId = compat.p4info.registers[0]!.preamble!.id;
    const value = { case: 'bitstring' as const, value: bytes(9) };
    const cell: EntityInit = {
      case: 'registerEntry',
      value: { registerId, index: { index: 2n }, data: { data: value } },
    };
    const code = await stage.write(MODIFY, cell);
    if (code !== 'accepted') return (await stage.readCode(cell)) === code ? code : `${code} but read`;
    const [read] = await stage.read(cell);
    const register = read?.entity.case === 'registerEntry' ? read.entity.value.data?.data : undefined;
    return register?.case === 'bitstring' && register.value[0] === 9 ? 'accepted' : 'lost';
  }),
  'value-set': loaded(compat, async (stage) => {
    const valueSetId = compat.p4info.valueSets[0]!.preamble!.id;
    const members = [{ match: [exact(1, 0x88, 0x47)] }];
    const set: EntityInit = { case: 'valueSetEntry', value: { valueSetId, members } };
    const code = await stage.write(MODIFY, set);
    if (code !== 'accepted') return (await stage.readCode(set)) === code ? code : `${code} but read`;
    const [read] = await stage.read(set);
    const count = read?.entity.case === 'valueSetEntry' ? read.entity.value.members.length : 0;
    return count === 1 ? 'accepted' : 'lost';
  }),

  'api-version': {
    program: features,
    async run(stage) {
      const answer = await stage.client.call('capabilities', create(CapabilitiesRequestSchema));
      return answer.p4runtimeApiVersion;
    },
  },
  'push-to-other-device': {
    program: features,
    async run(stage) {
      const stream = stage.client.openStream();
      stream.sendArbitration(1n, { deviceId: 5n });
      const told = await Promise.race([
        stream.ended.then(({ code }) => Code[code]!),
        stream.nextArbitration(),
      ]);
      if (told === 'NOT_FOUND') return told;
      return outcome(stage.client.push(ConfigAction.VERIFY_AND_COMMIT, { deviceId: 5n }));
    },
  },
};
