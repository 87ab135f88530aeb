// SPDX-License-Identifier: Apache-2.0
/**
 * Makes a script that shows a difference smaller, as long as it still shows one: leaves out pieces (delta debugging),
 * then shortens packets. Deterministic; the number of trials is limited.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002, algorithm ddmin, without
 * its test of subsets alone: complements do the work here.
 */
import type { Packet, Script, Step } from './script.ts';

/** The smallest thing that can be left out. */
type Atom =
  | {
      readonly kind: 'update';
      readonly update: Extract<Step, { kind: 'write' }>['updates'][number];
      readonly write: number;
    }
  | { readonly kind: 'packet'; readonly packet: Packet }
  | { readonly kind: 'other'; readonly step: Step };

export async function shrink(
  script: Script,
  fails: (candidate: Script) => Promise<boolean>,
  trialsMax = 250,
): Promise<Script> {
  let trials = 0;
  let atoms = atomsOf(script);
  const stillFails = async (candidate: readonly Atom[]) => {
    if (trials >= trialsMax) return false;
    trials += 1;
    return fails({ ...script, steps: stepsOf(candidate) });
  };
  for (let pieces = 2; pieces <= atoms.length; ) {
    const size = Math.ceil(atoms.length / pieces);
    let isSmaller = false;
    // From the end, where what does not matter any more stands.
    for (let start = Math.floor((atoms.length - 1) / size) * size; start >= 0; start -= size) {
      const rest = [...atoms.slice(0, start), ...atoms.slice(start + size)];
      if (rest.length > 0 && (await stillFails(rest))) {
        atoms = rest;
        isSmaller = true;
      }
    }
    if (isSmaller) pieces = Math.max(2, Math.min(pieces, atoms.length));
    else if (size === 1) break;
    else pieces = Math.min(atoms.length, pieces * 2);
    if (trials >= trialsMax) break;
  }
  for (let index = 0; index < atoms.length; index++) {
    for (let isShorter = true; isShorter; ) {
      const shorter = shortened(atoms[index]!);
      isShorter = shorter !== undefined && (await stillFails(atoms.with(index, shorter)));
      if (isShorter) atoms = atoms.with(index, shorter!);
    }
  }
  return { ...script, steps: stepsOf(atoms) };
}

function atomsOf({ steps }: Script): Atom[] {
  return steps.flatMap((step, write): Atom[] => {
    if (step.kind === 'write') return step.updates.map((update) => ({ kind: 'update', update, write }));
    if (step.kind === 'packets') return step.packets.map((packet) => ({ kind: 'packet', packet }));
    return [{ kind: 'other', step }];
  });
}

/** Updates of one Write stay together, packets in a row too. */
function stepsOf(atoms: readonly Atom[]): Step[] {
  const steps: Step[] = [];
  let write = -1;
  for (const atom of atoms) {
    const last = steps.at(-1);
    if (atom.kind === 'other') steps.push(atom.step);
    else if (atom.kind === 'update') {
      if (last?.kind === 'write' && write === atom.write) {
        steps[steps.length - 1] = { kind: 'write', updates: [...last.updates, atom.update] };
      } else steps.push({ kind: 'write', updates: [atom.update] });
      write = atom.write;
    } else if (last?.kind === 'packets') {
      steps[steps.length - 1] = { kind: 'packets', packets: [...last.packets, atom.packet] };
    } else steps.push({ kind: 'packets', packets: [atom.packet] });
  }
  return steps;
}

/** The packet without its second half. */
function shortened(atom: Atom): Atom | undefined {
  if (atom.kind !== 'packet') return undefined;
  const { packet } = atom;
  const bytes = packet.kind === 'frame' ? packet.frame : packet.payload;
  if (bytes.length < 2) return undefined;
  const kept = bytes.slice(0, Math.ceil(bytes.length * 0.75));
  if (kept.length === bytes.length) return undefined;
  return {
    kind: 'packet',
    packet: packet.kind === 'frame' ? { ...packet, frame: kept } : { ...packet, payload: kept },
  };
}
