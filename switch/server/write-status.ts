// SPDX-License-Identifier: Apache-2.0
/**
 * How a Write that failed in part is reported: status UNKNOWN, and in its details one p4.v1.Error for each update, in
 * order, those that went well included.
 *
 * Source: P4Runtime specification 1.4, section 12.3; texts and `space` as sent by simple_switch_grpc.
 */

import { create, toBinary } from '@bufbuild/protobuf';
import type { StatusObject } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import { StatusSchema } from '../../p4runtime/generated/google/rpc/status_pb.ts';
import { ErrorSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code, type Refusal } from './refusal.ts';

/**
 * Room for the details in the trailers: what an HTTP/2 peer takes unless it says otherwise is some 64 KiB in base64.
 * Beyond it the messages of the details are left out, and beyond that the details altogether.
 */
export const detailsBytesMax = 45_000;

const typeUrl = 'type.googleapis.com/p4.v1.Error';
const space = 'ALL-sswitch-p4org';

/** @returns undefined when every update went well */
export function writeStatus(results: readonly (Refusal | undefined)[]): StatusObject | undefined {
  const failed = results.filter((result) => result !== undefined);
  if (failed.length === 0) return undefined;
  const metadata = new Metadata();
  for (const withMessages of [true, false]) {
    const bytes = encodeDetails(results, withMessages);
    if (bytes.length > detailsBytesMax) continue;
    metadata.set('grpc-status-details-bin', Buffer.from(bytes));
    return { code: Code.UNKNOWN, details: '', metadata };
  }
  const details = `${failed.length} of ${results.length} updates failed, too many to list; the first: ${failed[0]!.message}`;
  return { code: Code.UNKNOWN, details, metadata };
}

function encodeDetails(results: readonly (Refusal | undefined)[], withMessages: boolean): Uint8Array {
  const details = results.map((result) => {
    if (result === undefined) return { typeUrl, value: new Uint8Array() };
    const message = withMessages ? result.message : '';
    const value = toBinary(ErrorSchema, create(ErrorSchema, { canonicalCode: result.code, message, space }));
    return { typeUrl, value };
  });
  return toBinary(StatusSchema, create(StatusSchema, { code: Code.UNKNOWN, details }));
}
