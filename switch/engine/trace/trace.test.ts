// SPDX-License-Identifier: Apache-2.0
/** Traces of the testdata programs: copies, profiles, meters. test/trace has those of the load balancer. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../compile.ts';
import { throughGroup } from '../pipeline.ts';
import { traceStepsMax } from './recorder.ts';
import { traceText } from './text.ts';
import { valueText } from './value-text.ts';

function started(name: string) {
  const json = JSON.parse(readFileSync(new URL(`../testdata/${name}.json`, import.meta.url), 'utf8'));
  const sent: string[] = [];
  const { pipeline, program } = compile(json, {
    dropPort: 511,
    sink: {
      transmit: (port, frame) => sent.push(`${port}: ${Buffer.from(frame).toString('hex')}`),
      digest: () => {},
      diagnostic: () => {},
    },
  });
  const trace = (hex: string, port = 1) =>
    pipeline.trace(port, Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), 0);
  return { pipeline, program, sent, trace };
}

/** Without what the tests of the load balancer show: the parser, conditions, fields. */
function outline(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^#|=>|multicast|clone|wants|member|meter|dropped|^ *!/.test(line))
    .join('\n');
}

describe('a trace', () => {
  const copies = () => {
    const bench = started('copies');
    bench.pipeline.setMulticastGroup(7, [
      { port: 3, instance: 1 },
      { port: 4, instance: 2 },
    ]);
    bench.pipeline.setCloneSession(5, [{ port: 9, instance: 3 }]);
    return bench;
  };

  it('follows the copies of a multicast group', () => {
    expect(outline(traceText(copies().trace('0107 0000 aabb')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
        multicast group 7: port 3 (instance 1), port 4 (instance 2)
      #2 egress: a multicast copy from #1 to port 3, instance 1
        => port 3, 6 bytes
      #3 egress: a multicast copy from #1 to port 4, instance 2
        => port 4, 6 bytes"
    `);
  });

  it('says that a group does not exist', () => {
    expect(outline(traceText(copies().trace('0108 0000')))).toMatchInlineSnapshot(`
      "4 bytes on port 1 at 0 us: dropped: there is no multicast group 8
      #1 ingress: received on port 1
        there is no multicast group 8"
    `);
  });

  it('shows a clone of ingress apart from its original, which is dropped', () => {
    expect(outline(traceText(copies().trace('0200 0000')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
        wants a clone by session 5
        clone session 5: port 9 (instance 3)
        => dropped: standard_metadata.egress_spec is 511, the drop port
      #2 ingress: cloned in ingress from #1
      #3 egress: cloned in ingress from #2 to port 9, instance 3
        => port 9, 4 bytes"
    `);
  });

  it('shows a clone of egress behind its original', () => {
    expect(outline(traceText(copies().trace('0300 0000')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
      #2 egress: sent on from #1 to port 1
        wants a clone by session 5
        clone session 5: port 9 (instance 3)
        => port 1, 4 bytes
      #3 egress: cloned in egress from #2 to port 9, instance 3
        => port 9, 4 bytes"
    `);
  });

  it('shows how a packet comes back', () => {
    expect(outline(traceText(copies().trace('0400 0000')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
        wants resubmit
        => resubmitted
      #2 ingress: resubmitted from #1
      #3 egress: sent on from #2 to port 1
        => port 1, 4 bytes"
    `);
    expect(outline(traceText(copies().trace('0600 0000')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
      #2 egress: sent on from #1 to port 1
        wants recirculate
        => recirculated
      #3 ingress: recirculated from #2
      #4 egress: sent on from #3 to port 1
        wants recirculate
        => recirculated
      #5 ingress: recirculated from #4
      #6 egress: sent on from #5 to port 1
        wants recirculate
        => recirculated
      #7 ingress: recirculated from #6
      #8 egress: sent on from #7 to port 1
        => port 1, 4 bytes"
    `);
  });

  it('shows what is cut off, and a header that is popped', () => {
    expect(outline(traceText(copies().trace('0802 0000')))).toMatchInlineSnapshot(`
      "#1 ingress: received on port 1
        wants at most 2 bytes
      #2 egress: sent on from #1 to port 1
        => port 1, 2 bytes, cut from 4"
    `);
    const popped = copies().trace('1000 0000 0002 0005');
    const changes = popped.parts[0]!.steps.flatMap((step) =>
      step.kind === 'statements' ? step.steps.flatMap((statement) => statement.changes) : [],
    );
    expect(changes).toContainEqual({ kind: 'header-removed', header: 'labels[1]' });
  });

  it('has an end, even if the packet has none', () => {
    const bench = copies();
    const trace = bench.trace('0500 0000');
    expect(trace.parts).toHaveLength(64);
    expect(outline(traceText(trace))).toContain('=> dropped: it came back too often');
    const steps = trace.parts.reduce((sum, part) => sum + part.steps.length, 0);
    expect(steps).toBeLessThanOrEqual(traceStepsMax);
  });

  it('is the processing of the packet: it leaves, and counts, like any other', () => {
    const bench = copies();
    bench.trace('0107 0000 aabb');
    expect(bench.sent).toEqual(['3: 01070001aabb', '4: 01070002aabb']);
    const { id } = bench.program.registers[0]!;
    bench.trace('0702 0000');
    expect(bench.pipeline.readRegister(id, 2)).toBe(1n);
    bench.pipeline.process(1, Uint8Array.of(7, 2, 0, 0), 0);
    expect(bench.pipeline.readRegister(id, 2)).toBe(2n);
  });

  it('tells which member of a group was chosen, or that none is active', () => {
    const { pipeline, program, trace } = started('selectors');
    const profile = program.profiles.find(({ name }) => name === 'TestIngress.spread')!;
    const table = program.tables.find(({ name }) => name === 'TestIngress.by_spread')!;
    const action = profile.actions.find(({ name }) => name === 'TestIngress.forward')!.id;
    pipeline.apply([{ kind: 'member', profile: profile.id, member: 4, action, data: [14n, 104n] }]);
    pipeline.apply([{ kind: 'group', profile: profile.id, group: 2, activeMembers: [4] }]);
    const key = [{ kind: 'exact' as const, value: 0x0200000000aan }];
    const entry = { handle: 0, key, priority: 0, action: throughGroup, data: [2n], idleTimeoutMs: 0 };
    pipeline.apply([{ kind: 'insert', table: table.id, ...entry }]);
    const frame = '0200000000aa 020000000001 0002 0000 0000';
    const tables = () =>
      trace(frame)
        .parts[0]!.steps.filter((step) => step.kind === 'table')
        .filter(({ member }) => member !== undefined);
    expect(tables()).toMatchObject([
      {
        name: 'by_spread',
        isHit: true,
        member: { profile: 'spread', group: 2, member: 4 },
        action: { name: 'forward', parameters: [{ value: '0xe' }, { value: '0x68' }] },
      },
    ]);
    pipeline.apply([{ kind: 'group', profile: profile.id, group: 2, activeMembers: [] }]);
    expect(tables()).toMatchObject([
      {
        member: { group: 2, member: undefined },
        action: undefined,
        effects: [{ kind: 'count' }, { kind: 'diagnostic' }],
      },
    ]);
  });
});

describe('values', () => {
  it.each([
    ['dstAddr', 48, '0x20000000001', '02:00:00:00:00:01'],
    ['ipv4.srcAddr', 32, '0xa000001', '10.0.0.1'],
    ['ipv4.dst_ip', 32, '0xa000001', '10.0.0.1'],
    ['vip_pipeline_crc', 32, '0xa000001', '0xa000001'],
    ['ipv6.src', 128, '0x20010db8000000000000000000000001', '2001:db8::1'],
    ['ipv6.src', 128, '0x0', '::'],
    ['ipv6.src', 128, '0x1', '::1'],
    ['etherType', 16, '0x800', '0x800'],
    ['udp.length', 16, '0x800', '2048'],
    ['ingress_global_timestamp', 48, '0xf4240', '1000000'],
    ['options', 320, 'dead', 'dead'],
  ])('%s of %i bits, %s, is %s', (name, width, value, text) => {
    expect(valueText(name, width, value)).toBe(text);
  });
});
