// SPDX-License-Identifier: Apache-2.0
/** Why a backend gets what it gets: reasons in the order of their weight. */

import type { BackendFacts, BackendInEngine } from './backend-facts.ts';
import type { BackendHealthStatus } from './health-status.ts';
import type { BackendLifecycleStatus } from './lifecycle-status.ts';

/** What is known beside the engine. Undefined: not known, or not asked for by the configuration. */
export interface WhyContext {
  vip: string;
  backend: string;
  lifecycle: BackendLifecycleStatus | undefined;
  health: BackendHealthStatus | undefined;
  /** Fewer than the floor would be left: none of the checks is believed. */
  isPanicking: boolean;
  /** The weight that load has made of the configured one, and what that is in the same units. */
  load: { weight: number; configured: number; load: number | undefined } | undefined;
  /** Counted by the switch since its program was loaded. */
  packets: number | undefined;
  /** The vip is announced to routers; undefined: nobody is told to. */
  isAnnounced: boolean | undefined;
  /** The switches are in hand, or why not. */
  switchProblem: string | undefined;
}

/** nothing: alone it keeps new connections away. less: it gets fewer than its weight asks for. note: no harm in itself. */
export type Gravity = 'nothing' | 'less' | 'note';

export interface Reason {
  gravity: Gravity;
  /** A sentence, and what would help; undefined: nothing, or time. */
  text: string;
  remedy: string | undefined;
}

export interface WhyBackend {
  vip: string;
  backend: string;
  /** nothing: no slot, or nobody reaches it. less, all, more: of what its configured weight asks for, within a slot or two. unknown: no such backend. */
  gets: 'nothing' | 'less' | 'all' | 'more' | 'unknown';
  slots: number;
  slotCount: number;
  /** Of new connections: as it is, and as configured if all others were well. */
  share: number;
  shareWanted: number | undefined;
  packets: number | undefined;
  /** The gravest first. */
  reasons: Reason[];
}

const order: readonly Gravity[] = ['nothing', 'less', 'note'];

export function whyBackend(facts: BackendFacts, context: WhyContext): WhyBackend {
  const { backend, slotCount } = facts;
  const found = [...reasonsOf(facts, context)];
  const reasons = order.flatMap((gravity) => found.filter((reason) => reason.gravity === gravity));
  const slots = backend?.slots ?? 0;
  const shareWanted =
    backend === undefined || backend.weightInAll === 0 ? undefined : backend.weight / backend.weightInAll;
  return {
    vip: context.vip,
    backend: context.backend,
    gets:
      backend === undefined && context.lifecycle === undefined
        ? 'unknown'
        : reasons[0]?.gravity === 'nothing'
          ? 'nothing'
          : getsOf(backend, slotCount),
    slots,
    slotCount,
    share: slotCount === 0 ? 0 : slots / slotCount,
    shareWanted: backend?.state === 'active' ? shareWanted : undefined,
    packets: context.packets,
    reasons,
  };
}

function getsOf(backend: BackendInEngine | undefined, slotCount: number): WhyBackend['gets'] {
  if (backend === undefined || backend.slots === 0) return 'nothing';
  const due = (slotCount * backend.weight) / Math.max(1, backend.weightInAll);
  if (backend.state !== 'active') return 'less';
  // Maglev and whole slots are off by a few.
  const slack = Math.max(1, due / 20);
  if (backend.slots < due - slack) return 'less';
  return backend.slots > due + slack ? 'more' : 'all';
}

function* reasonsOf(facts: BackendFacts, context: WhyContext): Generator<Reason> {
  yield* ofWishes(facts, context);
  yield* ofHealth(context);
  if (facts.backend) yield* ofTables(facts, facts.backend, context);
  yield* ofTheWay(facts, context);
  yield* ofWeights(context);
  yield* ofCounters(facts, context);
}

/** What the operator has said. */
function* ofWishes(
  { phase, backend, engine }: BackendFacts,
  { vip, backend: name, lifecycle }: WhyContext,
): Generator<Reason> {
  if (lifecycle === undefined && backend?.state === 'leaving') {
    yield nothing(
      `It is not configured any more; it stays until its ${backend.pins} pins and the flows of ${backend.slotsKept} slots have ended.`,
      `evenkeel add ${vip} ${name} ${backend.endpoint}`,
    );
  } else if (lifecycle === undefined && backend === undefined) {
    yield nothing(`Vip ${vip} has no backend ${name}.`, 'evenkeel status shows those that it has');
    return;
  }
  const { wish = backend?.state, deadlineMs } = lifecycle ?? {};
  const restore = `evenkeel restore ${vip} ${name}`;
  if (wish === 'draining') {
    const end =
      deadlineMs === undefined
        ? ''
        : `; ${deadlineMs === 0 ? 'its deadline has passed' : `for ${seconds(deadlineMs)} more`}`;
    yield nothing(`It is drained by configuration: no new connections, those it has go on${end}.`, restore);
  }
  if (wish === 'down') yield nothing('It is declared dead by configuration.', restore);
  if (wish === 'disabled') yield nothing('It is disabled by configuration.', restore);
  if (lifecycle?.weight === 0)
    yield nothing(
      'Its weight is 0 by configuration: no new connections.',
      `evenkeel weight ${vip} ${name} 1`,
    );
  if (engine !== 'running' && phase === undefined) return;
  if (phase === 'filling') yield nothing(`Vip ${vip} is not served yet: its table is being written.`);
  if (phase === 'leaving') yield nothing(`Vip ${vip} is being removed.`);
}

/** What its checks say. */
function* ofHealth({ health, isPanicking }: WhyContext): Generator<Reason> {
  if (health === undefined) return;
  const { verdict, verdictMs, failure, state, stateMs, suppressedMs, problem } = health;
  const answer = failure === undefined ? '' : `; it last answered '${failure}'`;
  if (verdict === 'dead')
    yield nothing(
      `Its checks find it dead for ${seconds(verdictMs)}${answer}.`,
      'make it answer; it comes back by itself',
    );
  else if (verdict === 'avoided' && suppressedMs !== undefined)
    yield nothing(
      `It is held out for flapping, ${seconds(suppressedMs)} more if it does not fall again${answer}.`,
      'find out why it comes and goes',
    );
  else if (verdict === 'avoided')
    yield nothing(
      `Its checks fail for ${seconds(verdictMs)}${answer}.`,
      'make it answer; it comes back by itself',
    );
  else if (state === 'down')
    yield note(
      isPanicking
        ? `Its checks fail for ${seconds(stateMs)}${answer}, but so many others' do that none is believed (floor).`
        : `Its checks fail for ${seconds(stateMs)}${answer}, but too few others are well to do without it (floor).`,
    );
  if (problem !== undefined) yield note(`It could not be checked: ${problem}.`);
}

/** What the tables have of it, and what keeps them from having more. */
function* ofTables(
  { slotCount, change, isFlooded, pinsRefused }: BackendFacts,
  backend: BackendInEngine,
  { vip }: WhyContext,
): Generator<Reason> {
  const { state, slots, slotsWanted, slotsInChange, seatWaitMs, rowRefusals, weight, weightInAll } = backend;
  if (state === 'active' && weight > 0) {
    const isShort = slots < slotsWanted;
    const short = slots === 0 ? nothing : less;
    if (rowRefusals !== undefined)
      yield short(
        rowRefusals === 0
          ? 'The switch has not acknowledged its row in table backend yet.'
          : `The switch has refused its row in table backend ${rowRefusals} times.`,
        rowRefusals === 0 ? undefined : 'evenkeel status tells the reason that the switch gives',
      );
    if (seatWaitMs !== undefined)
      yield short(
        `It waits for the seat of a backend that dies, ${seconds(seatWaitMs)} more at most; then it is given slots of the others.`,
      );
    if (isShort && change.phase !== 'idle' && slotsInChange !== undefined && slotsInChange < slotsWanted)
      yield short(
        `A change is under way that began without it (${change.phase}); ${slotsWanted - slots} slots come with the next one.`,
      );
    else if (isShort && change.phase !== 'idle')
      yield short(`The change that gives it ${slotsWanted - slots} slots is under way: ${change.phase}.`);
    else if (isShort && change.waitingFor !== undefined)
      yield short(
        `The change that gives it ${slotsWanted - slots} slots waits for ${change.waitingFor}.`,
        isFlooded ? 'it begins by itself when the flood is over' : undefined,
      );
    else if (isShort) yield short(`${slotsWanted - slots} slots are about to be given to it.`);
    if (slotsWanted === 0 && seatWaitMs === undefined && rowRefusals === undefined && weightInAll > 0)
      yield nothing(
        `Its weight, ${weight} of ${weightInAll} in all, is less than one of the ${slotCount} slots of the vip.`,
        `a larger weight, or more slots for vip ${vip}`,
      );
  }
  if (isFlooded)
    yield less('A SYN flood is under way: new flows of unstable slots go where they went before it.');
  if (pinsRefused > 0)
    yield note(`${pinsRefused} pins were refused for want of room: changes wait while that goes on.`);
  if (backend.slotsKept > 0)
    yield note(`${backend.slotsKept} slots that have moved away still send it the connections of before.`);
}

/** Between the client and the backend. */
function* ofTheWay({ engine, backend }: BackendFacts, context: WhyContext): Generator<Reason> {
  if (engine !== 'running')
    yield less(
      `The controller has no hold of the switch (${context.switchProblem ?? engine}): it forwards as it last did, and nothing changes.`,
    );
  const { isAnnounced, vip } = context;
  if (isAnnounced === false)
    yield nothing(
      `Vip ${vip} is not announced: routers send it nothing.`,
      'see the line "announces" of evenkeel status',
    );
  if (backend === undefined) return;
  const { reach } = backend;
  if (reach.kind === 'unreachable')
    yield nothing(
      'No interface and no route leads to it: what is sent to it is dropped.',
      'network.routes in the configuration',
    );
  if (reach.kind === 'silent')
    yield nothing(
      `${reach.hop} does not answer ARP or NDP (asked ${reach.asked} times): what is sent to it is dropped.`,
      'is the server up, and in this network?',
    );
  if (reach.kind === 'unasked') yield nothing(`${reach.hop} has not been asked for its MAC address yet.`);
}

function* ofWeights({ lifecycle, load }: WhyContext): Generator<Reason> {
  if (lifecycle !== undefined && lifecycle.share < 1)
    yield less(
      `It fills: ${percent(lifecycle.share)} of its weight for now, all of it in ${seconds(lifecycle.fillMs)} (slow_start).`,
    );
  if (load !== undefined && load.weight !== load.configured) {
    const factor = load.weight / load.configured;
    const words = `Its load makes its weight ${factor.toFixed(2)} times the configured one${load.load === undefined ? '' : ` (load ${load.load.toFixed(2)})`}.`;
    yield factor < 1 ? less(words) : note(words);
  }
}

function* ofCounters({ backend }: BackendFacts, { packets, backend: name }: WhyContext): Generator<Reason> {
  if (packets === undefined || backend === undefined) return;
  if (packets === 0 && backend.slots > 0)
    yield note(
      `The switch has sent ${name} no packet yet: nobody whose connection falls into its slots has come.`,
    );
}

function nothing(text: string, remedy?: string): Reason {
  return { gravity: 'nothing', text, remedy };
}

function less(text: string, remedy?: string): Reason {
  return { gravity: 'less', text, remedy };
}

function note(text: string): Reason {
  return { gravity: 'note', text, remedy: undefined };
}

function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
