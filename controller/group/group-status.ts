// SPDX-License-Identifier: Apache-2.0
/** The group as one switch, and its members, for people. */
import type {
  Count,
  MemberDrift,
  MemberStatus,
  SwitchConnection,
  SwitchStatus,
  Traffic,
} from '../ports/switch.ts';
import type { Member } from './member.ts';

/** The furthest that any switch is, while none participates. */
const progress = ['preparing', 'standby', 'connecting', 'closed'] as const;

export function groupStatus(
  members: readonly Member[],
  isReady: boolean,
  now: number,
  driftOf: (member: Member) => MemberDrift,
): SwitchStatus {
  const all = members.map((member) => ({ member, status: member.port.status() }));
  const statuses = all.map(({ status }) => status);
  const traffics = statuses.flatMap(({ traffic }) => traffic ?? []);
  const isOne = members.length === 1;
  const problems = all.flatMap(({ member, status }) => {
    const problem = member.problem ?? status.problem;
    return problem === undefined ? [] : [isOne ? problem : `${member.name}: ${problem}`];
  });
  return {
    target: statuses.map(({ target }) => target).join(', '),
    connection: isReady ? 'ready' : connectionOf(statuses),
    problem: problems.length === 0 ? undefined : problems.join('; '),
    notices: {
      received: sum(statuses.map(({ notices }) => notices.received)),
      unreadable: sum(statuses.map(({ notices }) => notices.unreadable)),
    },
    traffic: traffics.length === 0 ? undefined : traffics.reduce(added),
    trafficAgeMs:
      traffics.length === 0 ? undefined : Math.max(...statuses.map(({ trafficAgeMs = 0 }) => trafficAgeMs)),
    written: statuses.map(({ written = {} }) => written).reduce(addedNumbers, {}),
    members: all.map(({ member, status }) => ({
      ...memberStatus(member, status, now),
      drift: driftOf(member),
    })),
  };
}

function memberStatus(member: Member, status: SwitchStatus, now: number): MemberStatus {
  return {
    name: member.name,
    address: status.target,
    state: member.state,
    stateMs: Math.round(now - member.since),
    rowsBehind: member.difference.size,
    problem: member.problem ?? status.problem,
  };
}

/** To the group a switch is ready when it holds the group's rows. */
function connectionOf(statuses: readonly SwitchStatus[]): SwitchConnection {
  const connections = statuses.map(({ connection }) =>
    connection === 'ready' ? ('preparing' as const) : connection,
  );
  return progress.find((connection) => connections.includes(connection)) ?? 'closed';
}

function added(left: Traffic, right: Traffic): Traffic {
  return {
    decisions: addedCounts(left.decisions, right.decisions),
    drops: addedCounts(left.drops, right.drops),
    hints: addedCounts(left.hints, right.hints),
    limited: addedCounts(left.limited, right.limited),
    pools: addedCounts(left.pools, right.pools),
    backends: addedCounts(left.backends, right.backends),
  };
}

type Numbers = Readonly<Record<string, number>>;

function addedNumbers(left: Numbers, right: Numbers): Numbers {
  const added: Record<string, number> = { ...left };
  for (const [name, number] of Object.entries(right)) added[name] = (added[name] ?? 0) + number;
  return added;
}

type Counts = Readonly<Record<string, Count>>;

function addedCounts(left: Counts, right: Counts): Counts {
  const counts: Record<string, Count> = { ...left };
  for (const [name, { packets, bytes }] of Object.entries(right)) {
    const known = counts[name] ?? { packets: 0, bytes: 0 };
    counts[name] = { packets: known.packets + packets, bytes: known.bytes + bytes };
  }
  return counts;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
