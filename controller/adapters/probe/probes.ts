// SPDX-License-Identifier: Apache-2.0
/** Asks backends: so many at once, each for its time and no longer. The others wait in the order in which they came. */
import type { ProbeOutcome } from '../../core/health.ts';
import type { Probe, Prober } from '../../ports/prober.ts';
import { failed, type ProbeOf, type RunningProbe } from './ask.ts';
import { askCommand } from './command.ts';
import { askGrpc } from './grpc.ts';
import { askHttp } from './http.ts';
import { waitPatiently } from './patience.ts';
import { askTcp } from './tcp.ts';
import { askUdp } from './udp.ts';

export interface ProbeLimits {
  /** Sockets open at a time. When all are silent for a second, so many can be asked in it. */
  socketsAtOnce: number;
  /** Processes are dear. */
  commandsAtOnce: number;
}

export const probeLimits: Readonly<ProbeLimits> = { socketsAtOnce: 1_024, commandsAtOnce: 16 };

interface Waiting {
  probe: Probe;
  answer: (outcome: ProbeOutcome) => void;
  /** Once it runs. */
  cancel: () => void;
}

export class Probes implements Prober {
  private readonly sockets: Lane;
  private readonly commands: Lane;

  constructor(limits: ProbeLimits = probeLimits) {
    this.sockets = new Lane(limits.socketsAtOnce);
    this.commands = new Lane(limits.commandsAtOnce);
  }

  probe(probe: Probe, answer: (outcome: ProbeOutcome) => void): () => void {
    const lane = probe.check.kind === 'command' ? this.commands : this.sockets;
    return lane.add(probe, answer);
  }

  async close(): Promise<void> {
    this.sockets.clear();
    this.commands.clear();
  }
}

/** Who asks has at most one probe for each backend under way: that bounds the queue. */
class Lane {
  private readonly atOnce: number;
  private readonly running = new Set<Waiting>();
  private readonly waiting = new Set<Waiting>();

  constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  add(probe: Probe, answer: Waiting['answer']): () => void {
    const entry: Waiting = { probe, answer, cancel: () => {} };
    if (this.running.size < this.atOnce) this.run(entry);
    else this.waiting.add(entry);
    return () => this.drop(entry);
  }

  clear(): void {
    this.waiting.clear();
    for (const entry of [...this.running]) this.drop(entry);
  }

  private drop(entry: Waiting): void {
    if (this.waiting.delete(entry) || !this.running.has(entry)) return;
    entry.cancel();
    this.end(entry);
  }

  private run(entry: Waiting): void {
    this.running.add(entry);
    const { probe } = entry;
    const startedAt = performance.now();
    const finish = (outcome: ProbeOutcome): void => {
      if (!this.running.has(entry)) return;
      entry.cancel();
      this.end(entry);
      entry.answer(
        outcome.kind === 'passed' ? { kind: 'passed', latencyMs: performance.now() - startedAt } : outcome,
      );
    };
    const running = askOrSay(probe, finish);
    const stopWaiting = waitPatiently(probe.timeoutMs, () => {
      const { reason, detail } = running.late();
      finish(failed(reason, detail));
    });
    entry.cancel = () => {
      stopWaiting();
      running.cancel();
    };
  }

  private end(entry: Waiting): void {
    this.running.delete(entry);
    for (const next of this.waiting) {
      this.waiting.delete(next);
      this.run(next);
      return;
    }
  }
}

/** What no socket and no process takes, such as a path with a line break, is not the backend's fault. */
function askOrSay(probe: Probe, answer: (outcome: ProbeOutcome) => void): RunningProbe {
  try {
    return ask(probe, answer);
  } catch (error) {
    const outcome: ProbeOutcome = { kind: 'void', detail: (error as Error).message };
    const answering = setImmediate(() => answer(outcome));
    return { cancel: () => clearImmediate(answering), late: () => ({ reason: 'slow', detail: '' }) };
  }
}

function ask(probe: Probe, answer: (outcome: ProbeOutcome) => void): RunningProbe {
  switch (probe.check.kind) {
    case 'tcp':
      return askTcp(probe as ProbeOf<'tcp'>, answer);
    case 'http':
      return askHttp(probe as ProbeOf<'http'>, answer);
    case 'udp':
      return askUdp(probe as ProbeOf<'udp'>, answer);
    case 'grpc':
      return askGrpc(probe as ProbeOf<'grpc'>, answer);
    case 'command':
      return askCommand(probe as ProbeOf<'command'>, answer);
  }
}
