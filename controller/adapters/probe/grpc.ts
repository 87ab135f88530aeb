// SPDX-License-Identifier: Apache-2.0
/** Does it, or one of its services, say SERVING? Each time over a connection of its own. */

import { create } from '@bufbuild/protobuf';
import { Client, connectivityState, credentials, type ServiceError, status } from '@grpc/grpc-js';
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../../p4runtime/generated/grpc/health/v1/health_pb.ts';
import { serviceDefinition } from '../../../p4runtime/service-definition.ts';
import type { ProbeOutcome } from '../../core/health.ts';
import { type Ask, failed, lateToAnswer, lateToConnect, passed } from './ask.ts';

const { check: method } = serviceDefinition(Health);

/** A connection that is not kept, not shared, and not tried twice; and through no proxy: it is the backend that is asked. */
const channelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
};

export const askGrpc: Ask<'grpc'> = ({ target, check: { service } }, answer) => {
  const { address, port } = target;
  const name = address.includes(':') ? `ipv6:[${address}]:${port}` : `ipv4:${address}:${port}`;
  const client = new Client(name, credentials.createInsecure(), channelOptions);
  const isConnected = (): boolean =>
    client.getChannel().getConnectivityState(false) === connectivityState.READY;
  const call = client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    create(HealthCheckRequestSchema, { service }),
    (error: ServiceError | null, response?: HealthCheckResponse) =>
      answer(error ? outcomeOf(error) : isServing(response!)),
  );
  return {
    cancel() {
      call.cancel();
      client.close();
    },
    late: () => (isConnected() ? lateToAnswer : lateToConnect),
  };
};

function isServing({ status }: HealthCheckResponse): ProbeOutcome {
  if (status === Serving.SERVING) return passed;
  const name = Object.entries(Serving).find(([, value]) => value === status)?.[0];
  return failed('wrong', name ?? `serving status ${status}`);
}

function outcomeOf({ code, details }: ServiceError): ProbeOutcome {
  if (code === status.UNAVAILABLE) {
    // The library tells what the socket said only in words.
    if (/ECONNREFUSED/.test(details)) return failed('refused', 'connection refused');
    if (/EHOSTUNREACH|ETIMEDOUT|EHOSTDOWN/.test(details)) return failed('silent', 'host unreachable');
    if (/EMFILE|ENFILE|ENETUNREACH|EADDRNOTAVAIL/.test(details)) return { kind: 'void', detail: details };
    return failed('closed', details);
  }
  const name = Object.entries(status).find(([, value]) => value === code)?.[0];
  return failed('wrong', `${name ?? code}: ${details}`);
}
