// SPDX-License-Identifier: Apache-2.0
/**
 * Changes to the configuration made by command: what a command means, in single steps that edit-text.ts makes in the text. All
 * of them are made or none; whoever reads the file sees all or none.
 */
import { parseDocument } from 'yaml';
import type { BackendState } from '../core/desired.ts';
import type { Config } from './config.ts';
import { backendDefaults } from './config.ts';
import { type PlainBackend, type PlainFile, steppedText, type TextStep } from './edit-text.ts';
import { parseConfig } from './parse.ts';
import { nearMatch, type Problem } from './problem.ts';
import { formatTime, parseAddress } from './scalar.ts';

interface Named {
  vip: string;
  backend: string;
}

interface NewBackend {
  address: string;
  port: number;
  /** Hexadecimal. */
  serverId?: string | undefined;
}

export type Edit =
  | ({ kind: 'add'; weight?: number | undefined } & Named & NewBackend)
  | ({ kind: 'remove' } & Named)
  | ({ kind: 'weight'; weight: number } & Named)
  /** `deadlineMs`: of a drain, from now; what is left then is given up. */
  | ({ kind: 'state'; state: BackendState; deadlineMs?: number | undefined } & Named)
  /**
   * `by` takes the seat of `backend`: it is there with its weight, and `backend` drains. One that is there already keeps its
   * address. Nothing to do where it has done so.
   */
  | ({ kind: 'replace'; by: string; deadlineMs?: number | undefined } & Named & NewBackend);

export type RefusalCode = 'no-such-vip' | 'no-such-backend' | 'exists' | 'invalid';

export interface Refusal {
  code: RefusalCode;
  wrong: string;
  right: string;
  /** What would be wrong with the file after the edit, or is wrong with it before. */
  problems: Problem[];
}

export type EditResult =
  | { text: string; isChanged: boolean; config: Config; warnings: Problem[] }
  | { refusal: Refusal };

/**
 * @param now  what deadlines count from
 * @returns the new text and what it means, or why not. A text that already says so comes back as it was.
 */
export function editConfig(text: string, edit: Edit, now: Date): EditResult {
  const before = parseConfig(text);
  if ('problems' in before) return invalid('the file has problems already', before.problems);

  const { vips } = parseDocument(text).toJS() as PlainFile;
  const vip = vips.findIndex(({ name }) => name === edit.vip);
  if (vip < 0) return missing('no-such-vip', 'vip', edit.vip, names(vips));
  const { backends, port } = vips[vip]!;
  const steps = stepsOf(
    edit,
    (backends ?? []).map((backend) => ({ port, ...backend })),
    now,
  );
  if ('refusal' in steps) return steps;
  if (steps.length === 0) return { text, isChanged: false, ...before };

  const result = steps.reduce((edited, step) => steppedText(edited, vip, step), text);
  const after = parseConfig(result);
  if ('problems' in after) return invalid('the file would have problems', after.problems);
  return { text: result, isChanged: true, ...after };
}

/** @param backends  places in steps are those in this list; a step that changes them comes last */
function stepsOf(
  edit: Edit,
  backends: readonly PlainBackend[],
  now: Date,
): TextStep[] | { refusal: Refusal } {
  const at = backends.findIndex(({ name }) => name === edit.backend);
  const backend = backends[at];
  if (edit.kind === 'add') {
    if (backend !== undefined)
      return taken(edit.vip, edit.backend, 'another name, or restore the one there is');
    return [{ kind: 'add', fields: fieldsOf(edit.backend, edit, edit.weight) }];
  }
  if (backend === undefined)
    return missing('no-such-backend', `backend of vip '${edit.vip}'`, edit.backend, names(backends));
  switch (edit.kind) {
    case 'remove':
      return [...withoutSuccessors(backends, edit.backend), { kind: 'remove', at }];
    case 'weight':
      return (backend.weight ?? backendDefaults.weight) === edit.weight
        ? []
        : [{ kind: 'set', at, key: 'weight', value: edit.weight }];
    case 'state':
      return stateSteps(at, backend, edit.state, edit.deadlineMs, now);
    case 'replace':
      return replacementSteps(edit, backends, at, now);
  }
}

function stateSteps(
  at: number,
  backend: PlainBackend,
  state: BackendState,
  deadlineMs: number | undefined,
  now: Date,
): TextStep[] {
  const steps: TextStep[] = [];
  if ((backend.state ?? backendDefaults.state) !== state)
    steps.push({ kind: 'set', at, key: 'state', value: state });
  if (state === 'draining' && deadlineMs !== undefined) {
    const value = formatTime(new Date(now.getTime() + deadlineMs));
    steps.push({ kind: 'set', at, key: 'drain_deadline', value });
  } else if (state !== 'draining' && backend.drain_deadline !== undefined)
    steps.push({ kind: 'unset', at, key: 'drain_deadline' });
  return steps;
}

function replacementSteps(
  edit: Edit & { kind: 'replace' },
  backends: readonly PlainBackend[],
  at: number,
  now: Date,
): TextStep[] | { refusal: Refusal } {
  const { vip, backend: name, by, deadlineMs } = edit;
  const old = backends[at]!;
  const place = backends.findIndex((backend) => backend.name === by);
  const there = backends[place];
  if (place === at || (there !== undefined && !isAt(there, edit)))
    return taken(vip, by, 'another name, or the address and the port that it has');

  const weight = old.weight ?? backendDefaults.weight;
  const steps: TextStep[] = [];
  const isActive = (old.state ?? backendDefaults.state) === 'active';
  // A deadline that was given before stays.
  const isOpen = old.state === 'draining' && old.drain_deadline === undefined && deadlineMs !== undefined;
  if (isActive || isOpen) steps.push(...stateSteps(at, old, 'draining', deadlineMs, now));
  if (there === undefined)
    steps.push({ kind: 'add', fields: { ...fieldsOf(by, edit, old.weight), replaces: name } });
  else if (there.replaces !== name) {
    if ((there.weight ?? backendDefaults.weight) !== weight)
      steps.push({ kind: 'set', at: place, key: 'weight', value: weight });
    steps.push({ kind: 'set', at: place, key: 'replaces', value: name });
  }
  return steps;
}

/** Who replaced it replaces nobody any more. */
function withoutSuccessors(backends: readonly PlainBackend[], name: string): TextStep[] {
  return backends.flatMap(({ replaces }, at) =>
    replaces === name ? [{ kind: 'unset', at, key: 'replaces' } as const] : [],
  );
}

function isAt(backend: PlainBackend, { address, port }: NewBackend): boolean {
  const [one, other] = [parseAddress(backend.address), parseAddress(address)];
  return 'value' in one && 'value' in other && one.value === other.value && backend.port === port;
}

function fieldsOf(
  name: string,
  { address, port, serverId }: NewBackend,
  weight: number | undefined,
): PlainBackend {
  return {
    name,
    address,
    port,
    ...(weight !== undefined && { weight }),
    ...(serverId !== undefined && { server_id: serverId }),
  };
}

function taken(vip: string, backend: string, right: string): { refusal: Refusal } {
  const wrong = `vip '${vip}' has a backend '${backend}' already`;
  return { refusal: { code: 'exists', wrong, right, problems: [] } };
}

function invalid(wrong: string, problems: Problem[]): { refusal: Refusal } {
  return { refusal: { code: 'invalid', wrong, right: 'a file without problems', problems } };
}

function missing(code: RefusalCode, what: string, name: string, known: string[]): { refusal: Refusal } {
  const near = nearMatch(name, known);
  const listed =
    known.length === 0 ? 'one that is there; there is none' : `one of ${known.slice(0, 20).join(', ')}`;
  const right = near === undefined ? listed : `'${near}'`;
  return { refusal: { code, wrong: `there is no ${what} named '${name}'`, right, problems: [] } };
}

const names = (items: readonly { name: string }[]): string[] => items.map(({ name }) => name);
