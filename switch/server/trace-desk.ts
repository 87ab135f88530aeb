// SPDX-License-Identifier: Apache-2.0
/**
 * Who watches packets pass, and evenkeel.switch.v1.Tracing: the same over gRPC. Anybody who may talk to the switch may
 * watch; nobody can hold it up: what a slow reader does not take is dropped and counted.
 */

import { create } from '@bufbuild/protobuf';
import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  type Tracing,
  type WatchRequest as WatchMessage,
  type WatchResponse,
  WatchResponseSchema,
} from '../../p4runtime/generated/evenkeel/switch/v1/trace_pb.ts';
import type { ServiceHandlers } from '../../p4runtime/service-definition.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import { traceText } from '../engine/trace/text.ts';
import { type WatchReport, type WatchRequest, watchDefaults } from '../engine/trace/watching.ts';
import { checkDecoded } from './decoding.ts';
import type { PipelineHost } from './host.ts';
import { Code, Refusal } from './refusal.ts';

export const traceLimits = {
  /** Asked for more, the switch does as much. */
  perSecondMax: 1000,
  /** Responses a client may fall behind. */
  backlogMax: 64,
} as const;

export type OnReport = (report: Omit<WatchReport, 'watch'>) => void;

export class TraceDesk {
  #host: PipelineHost | undefined;
  readonly #watchers = new Map<number, OnReport>();
  #lastId = 0;

  /** The host needs its listener first, so it comes after construction; before anything else. */
  attach(host: PipelineHost): void {
    this.#host = host;
  }

  /**
   * @param onReport  called for each packet that fits, until the report that says `ended`
   * @returns what stops it before that, or what is wrong with the request
   */
  async watch(
    request: WatchRequest,
    onReport: OnReport,
  ): Promise<{ stop: () => void } | { problem: FilterProblem }> {
    if (this.#host === undefined) throw new Error('a trace desk is attached to its host before it is used');
    const host = this.#host;
    this.#lastId += 1;
    const id = this.#lastId;
    this.#watchers.set(id, onReport);
    const problem = await host.watch(id, request);
    if (problem !== undefined) {
      this.#watchers.delete(id);
      return { problem };
    }
    return {
      stop: () => {
        // A pipeline that is gone watches nothing.
        if (this.#watchers.delete(id)) host.unwatch(id).catch(() => {});
      },
    };
  }

  deliver(reports: readonly WatchReport[]): void {
    for (const { watch, ...report } of reports) {
      const onReport = this.#watchers.get(watch);
      if (report.ended !== undefined) this.#watchers.delete(watch);
      onReport?.(report);
    }
  }

  get handlers(): ServiceHandlers<typeof Tracing> {
    return { watch: (call) => void this.#serve(call) };
  }

  async #serve(call: ServerWritableStream<WatchMessage, WatchResponse>): Promise<void> {
    let stop = () => {};
    let isGone = false;
    for (const event of ['cancelled', 'close', 'error']) {
      call.on(event, () => {
        isGone = true;
        stop();
      });
    }
    let untold = 0;
    const onReport: OnReport = ({ trace, skipped, ended }) => {
      if (isGone) return;
      const missed = untold + skipped;
      if (call.writableLength >= traceLimits.backlogMax && ended === undefined) {
        untold = missed + (trace === undefined ? 0 : 1);
        return;
      }
      untold = 0;
      const text = trace === undefined ? '' : traceText(trace);
      const json = trace === undefined ? '' : JSON.stringify(trace);
      call.write(create(WatchResponseSchema, { text, json, skipped: BigInt(missed), ended: ended ?? '' }));
      if (ended !== undefined) call.end();
    };
    try {
      checkDecoded(call.request);
      const watching = await this.watch(requestOf(call.request), onReport);
      if ('problem' in watching) {
        const { column, message } = watching.problem;
        const details = column === 0 ? message : `column ${column}: ${message}`;
        call.emit('error', { code: Code.INVALID_ARGUMENT, details });
        return;
      }
      stop = watching.stop;
      if (isGone) stop();
    } catch (cause) {
      const code = cause instanceof Refusal ? cause.code : Code.UNAVAILABLE;
      call.emit('error', { code, details: (cause as Error).message });
    }
  }
}

function requestOf({ filter, perSecond, total }: WatchMessage): WatchRequest {
  return {
    filter,
    perSecond: Math.min(perSecond || watchDefaults.perSecond, traceLimits.perSecondMax),
    total: Number(total) || watchDefaults.total,
  };
}
