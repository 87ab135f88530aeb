// SPDX-License-Identifier: Apache-2.0
/** Watches packets pass through a running switch, over gRPC. */

import { create } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import {
  Tracing,
  WatchRequestSchema,
  type WatchResponse,
} from '../../p4runtime/generated/evenkeel/switch/v1/trace_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';

export interface LiveRequest {
  filter: string;
  /** 0: as many as the switch thinks right. */
  perSecond: number;
  total: number;
}

/**
 * @param onResponse  called for each packet that fits, and once for the end if the switch says it
 * @param stop  ends the watch
 * @returns when the watch has ended
 * @throws ServiceError when the switch refuses, or is gone
 */
export async function watchLive(
  address: string,
  request: LiveRequest,
  onResponse: (response: WatchResponse) => void,
  stop: AbortSignal,
): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  const { watch } = serviceDefinition(Tracing);
  const message = create(WatchRequestSchema, { ...request, total: BigInt(request.total) });
  try {
    await new Promise<void>((resolve, reject) => {
      const call = client.makeServerStreamRequest(
        watch.path,
        watch.requestSerialize,
        watch.responseDeserialize,
        message,
      );
      const cancel = () => call.cancel();
      call.on('data', onResponse);
      call.on('end', resolve);
      call.on('error', (cause: ServiceError) => (stop.aborted ? resolve() : reject(cause)));
      stop.addEventListener('abort', cancel, { once: true });
      if (stop.aborted) cancel();
    });
  } finally {
    client.close();
  }
}
