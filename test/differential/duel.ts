// SPDX-License-Identifier: Apache-2.0
/**
 * Runs one script on two switches and compares them step by step. A difference counts when it comes again at leisure:
 * a busy machine must not look like one.
 */
import { Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { compareStep, type Difference } from './compare.ts';
import { knownDifference } from './known-differences.ts';
import type { TestProgram } from './programs.ts';
import { hexOf, type Script, type Step, type StepResult } from './script.ts';
import { hasty, patient, type Target, wanders } from './target.ts';

/**
 * `same`: both say the same to every update. `accepted`: the first may refuse what the second would accept; the second
 * is told only what the first accepts, and must accept it too.
 */
export type Rule = 'same' | 'accepted';

export interface DuelOutcome {
  /** The first that nothing explains. */
  readonly difference: Difference | undefined;
  /** How often each known difference was met, by name. */
  readonly explained: ReadonlyMap<string, number>;
  /** Updates and packets that both have seen, and updates that both accepted. */
  readonly updates: number;
  readonly accepted: number;
  readonly packets: number;
  /** Frames, packet-ins and digests that came out. */
  readonly outputs: number;
}

export async function duel(
  program: TestProgram,
  script: Script,
  first: Target,
  second: Target,
  rule: Rule,
): Promise<DuelOutcome> {
  await first.reset(program);
  await second.reset(program);
  const loose = wanders(program);
  const explained = new Map<string, number>();
  let hasDiverged = false;
  let [updates, accepted, packets, outputs] = [0, 0, 0, 0];
  for (const [index, given] of script.steps.entries()) {
    const step = rule === 'accepted' ? withoutBadPacketOuts(program, given) : given;
    const result = await first.run(program, step, undefined);
    const { told, expected } =
      rule === 'accepted' ? onlyAccepted(step, result) : { told: step, expected: result };
    const answer = await second.run(program, told, expected);
    for (const difference of compareStep(index, expected, answer, loose)) {
      const known = knownDifference(difference, told, rule);
      if (!known) return { difference, explained, updates, accepted, packets, outputs };
      explained.set(known.name, (explained.get(known.name) ?? 0) + 1);
      hasDiverged = known.diverges;
      if (hasDiverged) break;
    }
    if (hasDiverged) break;
    if (result.kind === 'write') {
      updates += result.codes.length;
      accepted += result.codes.filter((code) => code === 0).length;
    }
    if (result.kind === 'packets') {
      packets += result.bursts.reduce((sum, burst) => sum + burst.count, 0);
      for (const { frames, packetIns, digests } of result.bursts) {
        outputs += frames.length + packetIns.length + digests.length;
      }
    }
  }
  return { difference: undefined, explained, updates, accepted, packets, outputs };
}

/** The script as the rule `accepted` tells it to the second switch. */
export async function toldSteps(program: TestProgram, script: Script, first: Target): Promise<Script> {
  await first.reset(program);
  const steps: Step[] = [];
  for (const given of script.steps) {
    const step = withoutBadPacketOuts(program, given);
    const { told } = onlyAccepted(step, await first.run(program, step, undefined));
    if (told.kind !== 'write' || told.updates.length > 0) steps.push(told);
  }
  return { ...script, steps };
}

/** As `duel`, but a difference is looked for again, slowly. */
export async function confirmedDuel(
  ...[program, script, first, second, rule]: Parameters<typeof duel>
): Promise<DuelOutcome & { retried: boolean }> {
  const outcome = await duel(program, script, first, second, rule);
  if (!outcome.difference) return { ...outcome, retried: false };
  second.pace = patient;
  try {
    return { ...(await duel(program, script, first, second, rule)), retried: true };
  } finally {
    second.pace = hasty;
  }
}

function onlyAccepted(step: Step, result: StepResult): { told: Step; expected: StepResult } {
  if (step.kind !== 'write' || result.kind !== 'write') return { told: step, expected: result };
  const updates = step.updates.filter((_, index) => result.codes[index] === 0);
  return {
    told: { kind: 'write', updates },
    expected: { kind: 'write', codes: updates.map(() => 0) },
  };
}

/** Where metadata is missing or wrong, the specification has the packet dropped, and simple_switch_grpc makes do. */
function withoutBadPacketOuts({ index }: TestProgram, step: Step): Step {
  if (step.kind !== 'packets') return step;
  const fields = index.packetMetadata.all().find(({ name }) => name === 'packet_out')?.fields ?? [];
  const packets = step.packets.filter(
    (packet) =>
      packet.kind === 'frame' ||
      (packet.metadata.length === fields.length &&
        fields.every(({ id, bitwidth }) =>
          packet.metadata.some(
            ({ metadataId, value }) =>
              metadataId === id && BigInt(`0x0${hexOf(value)}`) < 1n << BigInt(bitwidth),
          ),
        )),
  );
  return { kind: 'packets', packets };
}

const typeNames = Object.fromEntries(Object.entries(Update_Type).map(([name, number]) => [number, name]));

/** For reports: `INSERT tableEntry`. */
export function summary(step: Step): string {
  if (step.kind !== 'write') return step.kind;
  return step.updates
    .map(({ type, entity }) => `${typeNames[type]} ${entity?.entity.case ?? 'nothing'}`)
    .join(', ');
}
