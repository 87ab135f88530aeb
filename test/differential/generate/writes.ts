// SPDX-License-Identifier: Apache-2.0
/**
 * Random updates for any program, made from its P4Info alone: most are right, every fourth is wrong in one way. What
 * was asked for is kept as if it had been granted, so that later updates meet earlier ones.
 *
 * Left out, because simple_switch_grpc crashes or is undefined then: emptying a group that entries use, members that
 * could all be down at once, and digests with lists (see docs/conformance.md).
 */
import { create } from '@bufbuild/protobuf';
import type { Dice } from '../../../controller/core/testing/dice.ts';
import {
  ActionSchema,
  EntitySchema,
  type FieldMatch,
  FieldMatchSchema,
  MeterConfigSchema,
  type Action as P4Action,
  type TableAction,
  TableActionSchema,
  type TableEntry,
  TableEntrySchema,
  type Update,
  Update_Type,
  UpdateSchema,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { ActionInfo, TableInfo } from '../../../p4runtime/p4info.ts';
import type { TestProgram } from '../programs.ts';
import { canonical, KeyMaker, spelled, tooWide } from './keys.ts';
import { ProfileMaker } from './profiles.ts';
import type { Vocabulary } from './vocabulary.ts';

/** So long that nobody waits for the notice. */
const idleTimeoutNs = 10_000_000_000_000n;

export type Entity = NonNullable<Update['entity']>['entity'];

interface Installed {
  readonly table: TableInfo;
  readonly match: readonly FieldMatch[];
  readonly priority: number;
}

export class WriteMaker {
  readonly #program: TestProgram;
  readonly #dice: Dice;
  readonly #vocabulary: Vocabulary;
  readonly #keys: KeyMaker;
  readonly #profiles: ProfileMaker;
  readonly #installed: Installed[] = [];
  /** Of what is common in this program. */
  readonly #makers: (() => Update)[];

  constructor(program: TestProgram, dice: Dice, vocabulary: Vocabulary) {
    this.#program = program;
    this.#dice = dice;
    this.#vocabulary = vocabulary;
    this.#keys = new KeyMaker(dice, vocabulary);
    this.#profiles = new ProfileMaker(program, dice, (action) => this.#action(action));
    const { tables, actionProfiles, counters, meters } = program.index;
    const makers: [weight: number, isThere: boolean, maker: () => Update][] = [
      [12, tables.all().some(({ fields }) => fields.length > 0), () => this.#tableUpdate()],
      [2, tables.all().length > 0, () => this.#defaultUpdate()],
      [6, actionProfiles.all().length > 0, () => this.#profiles.member()],
      [5, actionProfiles.all().some(({ object }) => object.withSelector), () => this.#profiles.group()],
      [2, counters.all().length > 0, () => this.#counterUpdate()],
      [2, tables.all().some(({ directCounter }) => directCounter), () => this.#directCounterUpdate()],
      [4, meters.all().length > 0, () => this.#meterUpdate()],
      [2, tables.all().some(({ directMeter }) => directMeter), () => this.#directMeterUpdate()],
      [/"(clone|mcast)/.test(program.json) ? 8 : 1, true, () => this.#replicationUpdate()],
      [1, true, () => this.#strangeUpdate()],
    ];
    this.#makers = makers.flatMap(([weight, isThere, maker]) =>
      isThere ? Array<() => Update>(weight).fill(maker) : [],
    );
  }

  /** Keys that entries may have now, to be met by packets. */
  get installed(): readonly Installed[] {
    return this.#installed;
  }

  /** What every script begins with: digests are wanted, one sample at a time, and profiles have members. */
  opening(): Update[] {
    const digests = this.#program.index.digests.all().map(({ id }) =>
      update(Update_Type.INSERT, {
        case: 'digestEntry',
        value: { digestId: id, config: { maxListSize: 1 } },
      }),
    );
    return [...digests, ...this.#profiles.opening()];
  }

  batch(count: number): Update[] {
    return Array.from({ length: count }, () => this.#dice.pick(this.#makers)());
  }

  #tableUpdate(): Update {
    const dice = this.#dice;
    const table = dice.pick(this.#program.index.tables.all().filter(({ fields }) => fields.length > 0));
    const known = this.#installed.filter((entry) => entry.table === table);
    const old = known.length > 0 && dice.chance(0.35) ? dice.pick(known) : undefined;
    const type = old
      ? dice.pick([Update_Type.MODIFY, Update_Type.MODIFY, Update_Type.DELETE, Update_Type.INSERT])
      : dice.pick([Update_Type.INSERT, Update_Type.INSERT, Update_Type.INSERT, Update_Type.DELETE]);
    const entry = create(TableEntrySchema, {
      tableId: table.id,
      match: (old?.match ?? this.#keys.match(table)).map((each) => create(FieldMatchSchema, each)),
      priority: old?.priority ?? this.#keys.priority(table),
    });
    if (type !== Update_Type.DELETE || dice.chance(0.2)) this.#dress(table, entry);
    // Without rates the entry gets those of a deleted one whose place it takes in simple_switch_grpc.
    if (type === Update_Type.INSERT && table.directMeter) entry.meterConfig = this.#meterConfig();
    if (type === Update_Type.INSERT && old === undefined) {
      this.#installed.push({ table, match: entry.match, priority: entry.priority });
    }
    if (type === Update_Type.DELETE && old) this.#installed.splice(this.#installed.indexOf(old), 1);
    const made = create(TableEntrySchema, structuredClone(entry));
    if (dice.chance(0.25)) this.#spoilEntry(table, made);
    return update(type, { case: 'tableEntry', value: made });
  }

  /** Everything of an entry but its key. */
  #dress(table: TableInfo, entry: TableEntry): void {
    const dice = this.#dice;
    entry.action = this.#tableAction(table);
    if (dice.chance(0.1)) entry.controllerMetadata = BigInt(dice.integer(1, 1000));
    if (dice.chance(0.1)) entry.metadata = Uint8Array.of(dice.integer(0, 255));
    if (table.hasIdleTimeout && dice.chance(0.3)) entry.idleTimeoutNs = idleTimeoutNs;
    if (table.directCounter && dice.chance(0.2)) {
      entry.counterData = create(TableEntrySchema, { counterData: this.#count() }).counterData;
    }
    if (table.directMeter && dice.chance(0.6)) entry.meterConfig = this.#meterConfig();
  }

  #tableAction(table: TableInfo): TableAction {
    const { actionProfileId } = table;
    if (actionProfileId !== undefined) return this.#profiles.tableAction(actionProfileId, table);
    const usable = table.actions.filter(({ inEntries }) => inEntries);
    const { action } = this.#dice.pick(usable.length > 0 ? usable : table.actions);
    return create(TableActionSchema, { type: { case: 'action', value: this.#action(action) } });
  }

  #action({ id, params }: ActionInfo): P4Action {
    return create(ActionSchema, {
      actionId: id,
      params: params.map((param) => ({
        paramId: param.id,
        value: spelled(this.#dice, this.#vocabulary.value(param.bitwidth), param.bitwidth),
      })),
    });
  }

  #defaultUpdate(): Update {
    const dice = this.#dice;
    const table = dice.pick(this.#program.index.tables.all());
    const usable = table.actions.filter(({ asDefault }) => asDefault || dice.chance(0.1));
    const entry = create(TableEntrySchema, { tableId: table.id, isDefaultAction: true });
    if (usable.length > 0 && dice.chance(0.8)) {
      entry.action = create(TableActionSchema, {
        type: { case: 'action', value: this.#action(dice.pick(usable).action) },
      });
    }
    if (dice.chance(0.05)) entry.priority = 1;
    if (dice.chance(0.05)) entry.match = this.#keys.match(table);
    if (dice.chance(0.05) && table.directCounter) {
      entry.counterData = create(TableEntrySchema, { counterData: this.#count() }).counterData;
    }
    const type = dice.chance(0.9) ? Update_Type.MODIFY : dice.pick([Update_Type.INSERT, Update_Type.DELETE]);
    return update(type, { case: 'tableEntry', value: entry });
  }

  #spoilEntry(table: TableInfo, entry: TableEntry): void {
    const dice = this.#dice;
    const { all } = { all: this.#program.index.tables.all() };
    const ways: (() => void)[] = [
      () => this.#keys.spoil(table, entry.match),
      () => this.#keys.spoil(table, entry.match),
      () => this.#keys.spoil(table, entry.match),
      () => {
        entry.tableId = dice.pick([1, 0x0200_0000, 0x7fff_ffff]);
      },
      () => {
        entry.tableId = dice.pick(all).id;
      },
      () => {
        entry.priority = dice.pick([0, -1, 1]);
      },
      () => {
        entry.action = undefined;
      },
      () => {
        entry.action = create(TableActionSchema, {});
      },
      () => {
        const stranger = dice.pick(this.#program.index.actions.all());
        entry.action = create(TableActionSchema, {
          type: { case: 'action', value: this.#action(stranger) },
        });
      },
      () => {
        const type = dice.pick([
          { case: 'actionProfileMemberId', value: 5555 } as const,
          { case: 'actionProfileGroupId', value: 5555 } as const,
        ]);
        entry.action = create(TableActionSchema, { type });
      },
      () => {
        entry.idleTimeoutNs = dice.pick([-1n, 5_000_000_000_000n]);
      },
      () => {
        entry.timeSinceLastHit = create(TableEntrySchema, { timeSinceLastHit: {} }).timeSinceLastHit;
      },
      () => {
        entry.counterData = create(TableEntrySchema, { counterData: {} }).counterData;
      },
      () => {
        entry.meterConfig = this.#meterConfig();
      },
    ];
    if (entry.action?.type.case === 'action') {
      const { value } = entry.action.type;
      ways.push(() => this.#spoilAction(value));
      ways.push(() => this.#spoilAction(value));
    }
    dice.pick(ways)();
  }

  #spoilAction(action: P4Action): void {
    const dice = this.#dice;
    const info = this.#program.index.actions.byId(action.actionId);
    const ways: (() => void)[] = [
      () => {
        action.actionId = dice.pick([0, 1, 0x0100_0000]);
      },
      () =>
        action.params.push(
          create(ActionSchema, { params: [{ paramId: 9, value: Uint8Array.of(1) }] }).params[0]!,
        ),
    ];
    const [first] = action.params;
    if (first) {
      const width = info?.params.find(({ id }) => id === first.paramId)?.bitwidth ?? 8;
      ways.push(
        () => action.params.pop(),
        () => action.params.push(first),
        () => {
          first.paramId = 77;
        },
        () => {
          first.value = tooWide(width);
        },
        () => {
          first.value = new Uint8Array(0);
        },
      );
    }
    dice.pick(ways)();
  }

  #count() {
    const dice = this.#dice;
    return { packetCount: BigInt(dice.integer(0, 1000)), byteCount: BigInt(dice.integer(0, 100_000)) };
  }

  #counterUpdate(): Update {
    const dice = this.#dice;
    const { id, object } = dice.pick(this.#program.index.counters.all());
    const size = Number(object.size);
    const index = dice.chance(0.9) ? dice.integer(0, size - 1) : dice.pick([-1, size, size + 100]);
    const value = {
      counterId: dice.chance(0.95) ? id : 0x1234,
      ...(dice.chance(0.95) && { index: { index: BigInt(index) } }),
      data: this.#count(),
    };
    return update(dice.chance(0.95) ? Update_Type.MODIFY : Update_Type.INSERT, {
      case: 'counterEntry',
      value,
    });
  }

  #directCounterUpdate(): Update {
    const dice = this.#dice;
    const tables = this.#program.index.tables.all().filter(({ directCounter }) => directCounter);
    const tableEntry = this.#someEntry(dice.chance(0.95) ? tables : this.#program.index.tables.all());
    const value = { tableEntry, data: this.#count() };
    const type = dice.chance(0.95) ? Update_Type.MODIFY : Update_Type.INSERT;
    return update(type, { case: 'directCounterEntry', value });
  }

  /** The key of an entry that may exist, or of one that hardly does. */
  #someEntry(tables: readonly TableInfo[]): TableEntry {
    const dice = this.#dice;
    const known = this.#installed.filter(({ table }) => tables.includes(table));
    if (known.length > 0 && dice.chance(0.85)) {
      const { table, match, priority } = dice.pick(known);
      return create(TableEntrySchema, {
        tableId: table.id,
        match: structuredClone(match) as FieldMatch[],
        priority,
      });
    }
    const table = dice.pick(tables);
    return create(TableEntrySchema, {
      tableId: table.id,
      match: this.#keys.match(table),
      priority: this.#keys.priority(table),
    });
  }

  #meterUpdate(): Update {
    const dice = this.#dice;
    const { id, object } = dice.pick(this.#program.index.meters.all());
    const size = Number(object.size);
    const index = dice.chance(0.93) ? dice.integer(0, size - 1) : dice.pick([-1, size, size + 100]);
    const config = dice.chance(0.85) ? this.#meterConfig() : undefined;
    const value = {
      meterId: dice.chance(0.97) ? id : 0x1234,
      ...(dice.chance(0.96) && { index: { index: BigInt(index) } }),
      ...(config && { config }),
    };
    return update(dice.chance(0.95) ? Update_Type.MODIFY : Update_Type.DELETE, { case: 'meterEntry', value });
  }

  #directMeterUpdate(): Update {
    const dice = this.#dice;
    const tables = this.#program.index.tables.all().filter(({ directMeter }) => directMeter);
    const tableEntry = this.#someEntry(dice.chance(0.95) ? tables : this.#program.index.tables.all());
    const config = dice.chance(0.85) ? this.#meterConfig() : undefined;
    const value = { tableEntry, ...(config && { config }) };
    const type = dice.chance(0.95) ? Update_Type.MODIFY : Update_Type.INSERT;
    return update(type, { case: 'directMeterEntry', value });
  }

  /** Rates at which time does not matter: nothing flows back, or more than anybody uses. */
  #meterConfig() {
    const dice = this.#dice;
    const burst = BigInt(dice.integer(0, 6) * dice.pick([1, 1, 50]));
    return create(
      MeterConfigSchema,
      dice.pick([
        { cir: 1_000_000_000n, cburst: 1_000_000_000n, pir: 1_000_000_000n, pburst: 1_000_000_000n },
        { cir: 0n, cburst: 0n, pir: 1_000_000_000n, pburst: 1_000_000_000n },
        { cir: 0n, cburst: 0n, pir: 0n, pburst: 0n },
        { cir: 0n, cburst: burst, pir: 0n, pburst: burst + BigInt(dice.integer(0, 100)) },
      ]),
    );
  }

  #replicationUpdate(): Update {
    const dice = this.#dice;
    const isGroup = dice.chance(0.5);
    const id = dice.chance(0.93) ? dice.integer(1, 6) : dice.pick([0, 32768, 40000, 32767]);
    // Of one kind: simple_switch_grpc loses ports when an instance has both.
    const asNumbers = dice.chance(0.6);
    const replicas = Array.from({ length: dice.integer(0, 4) }, () => ({
      portKind: asNumbers
        ? { case: 'egressPort' as const, value: dice.integer(0, 7) }
        : { case: 'port' as const, value: canonical(BigInt(dice.integer(dice.chance(0.95) ? 1 : 0, 7))) },
      instance: dice.integer(0, dice.chance(0.9) ? 3 : 60_000),
    }));
    const type = dice.pick([Update_Type.INSERT, Update_Type.INSERT, Update_Type.MODIFY, Update_Type.DELETE]);
    const entry = isGroup
      ? { case: 'multicastGroupEntry' as const, value: { multicastGroupId: id, replicas } }
      : {
          case: 'cloneSessionEntry' as const,
          value: {
            sessionId: id,
            replicas,
            // simple_switch_grpc refuses a MODIFY with these, but keeps its replicas.
            classOfService: type !== Update_Type.INSERT || dice.chance(0.95) ? 0 : 1,
            packetLengthBytes: type !== Update_Type.INSERT || dice.chance(0.95) ? 0 : 100,
          },
        };
    return update(type, { case: 'packetReplicationEngineEntry', value: { type: entry } });
  }

  /** What no program makes right. */
  #strangeUpdate(): Update {
    const dice = this.#dice;
    const [register] = this.#program.index.registers.all();
    return dice.pick([
      () => create(UpdateSchema, { type: Update_Type.INSERT }),
      () => create(UpdateSchema, { type: Update_Type.MODIFY, entity: {} }),
      () => update(Update_Type.UNSPECIFIED, { case: 'tableEntry', value: {} }),
      () => update(Update_Type.INSERT, { case: 'tableEntry', value: {} }),
      () => update(Update_Type.MODIFY, { case: 'registerEntry', value: { registerId: register?.id ?? 7 } }),
      () => update(Update_Type.MODIFY, { case: 'valueSetEntry', value: { valueSetId: 7 } }),
      () => update(Update_Type.INSERT, { case: 'digestEntry', value: { digestId: 7 } }),
      () => update(Update_Type.MODIFY, { case: 'directCounterEntry', value: {} }),
      () => update(Update_Type.MODIFY, { case: 'directMeterEntry', value: {} }),
      () => update(Update_Type.INSERT, { case: 'packetReplicationEngineEntry', value: {} }),
    ])();
  }
}

export function update(type: Update_Type, entity: Parameters<typeof entityOf>[0]): Update {
  return create(UpdateSchema, { type, entity: entityOf(entity) });
}

function entityOf(entity: NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity']) {
  return create(EntitySchema, entity === undefined ? {} : { entity });
}
