// SPDX-License-Identifier: Apache-2.0
/**
 * P4Runtime over gRPC: who may ask for what, in which order things are checked, and how the answers travel.
 *
 * Order of the checks, as in the specification: device, primary, program, then the content of the request.
 */

import { create } from '@bufbuild/protobuf';
import type { ServiceError } from '@grpc/grpc-js';
import type {
  ForwardingPipelineConfig,
  GetForwardingPipelineConfigRequest,
  ReadRequest,
  StreamMessageRequest,
  WriteRequest,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  CapabilitiesResponseSchema,
  ForwardingPipelineConfigSchema,
  GetForwardingPipelineConfigResponseSchema,
  type P4Runtime,
  ReadResponseSchema,
  GetForwardingPipelineConfigRequest_ResponseType as ResponseType,
  SetForwardingPipelineConfigResponseSchema,
  WriteRequest_Atomicity,
  WriteResponseSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { ServiceHandlers } from '../../p4runtime/service-definition.ts';
import type { BatchKind } from './batch.ts';
import type { Rules } from './compat.ts';
import type { Controllers, StreamErrorDetails } from './controllers.ts';
import { checkDecoded } from './decoding.ts';
import type { Device } from './device.ts';
import { sendPaced } from './paced.ts';
import { PushGate } from './push-gate.ts';
import { Code, invalid, Refusal, sendableText, unimplemented } from './refusal.ts';
import type { ServerConfiguration } from './server-config.ts';
import { writeStatus } from './write-status.ts';

export interface ServiceOptions {
  deviceId: bigint;
  rules: Rules;
  device: Device;
  controllers: Controllers;
  serverConfig: ServerConfiguration;
  log: (level: 'info' | 'warn' | 'error', line: string) => void;
}

/** What C++ and Python clients take by default. */
const portableDetailsBytes = 8192;

export function p4runtimeHandlers(options: ServiceOptions): ServiceHandlers<typeof P4Runtime> {
  const { device, controllers, rules } = options;
  const gate = new PushGate();

  return {
    write(call, callback) {
      answer(options, callback, async () => {
        const results = await write(options, gate, call.request);
        const status = writeStatus(results);
        const [details] = status?.metadata.get('grpc-status-details-bin') ?? [];
        if ((details?.length ?? 0) > portableDetailsBytes) {
          device.note('long-error-details', `${details!.length} bytes of details`);
        }
        if (status !== undefined) throw status;
        return create(WriteResponseSchema);
      });
    },

    async read(call) {
      try {
        checkDecoded(call.request);
        checkDevice(options, call.request.deviceId);
        checkHasProgram(options, call.request.deviceId);
        await sendPaced(call, readResponses(device, call.request));
      } catch (cause) {
        call.emit('error', statusOf(options, cause));
      }
    },

    setForwardingPipelineConfig(call, callback) {
      answer(options, callback, async () => {
        const { request } = call;
        checkDecoded(request);
        checkDevice(options, request.deviceId);
        const checkPrimary = () => controllers.checkPrimary(request);
        checkPrimary();
        if (request.deviceId !== options.deviceId) {
          throw rules.refusal('push-to-other-device', 'Error when trying to assign device');
        }
        await gate.push(checkPrimary, () => device.setConfig(request.action, request.config));
        return create(SetForwardingPipelineConfigResponseSchema);
      });
    },

    getForwardingPipelineConfig(call, callback) {
      answer(options, callback, async () => {
        checkDevice(options, call.request.deviceId);
        checkHasProgram(options, call.request.deviceId);
        const config = await device.config();
        if (config === undefined) {
          if (!rules.refuses('config-before-push')) return create(GetForwardingPipelineConfigResponseSchema);
          throw new Refusal(Code.FAILED_PRECONDITION, noProgram);
        }
        const selected = selectConfig(config, call.request.responseType);
        return create(GetForwardingPipelineConfigResponseSchema, { config: selected });
      });
    },

    streamChannel(call) {
      const id = controllers.join(call);
      if (id === undefined) return;
      call.on('data', (message: StreamMessageRequest) => void receive(options, gate, id, message));
      call.on('end', () => {
        controllers.leave(id);
        call.end();
      });
      for (const event of ['cancelled', 'close', 'error']) call.on(event, () => controllers.leave(id));
    },

    capabilities(_call, callback) {
      callback(
        null,
        create(CapabilitiesResponseSchema, { p4runtimeApiVersion: rules.answer('api-version') }),
      );
    },
  };
}

async function write(options: ServiceOptions, gate: PushGate, request: WriteRequest) {
  const { device, controllers } = options;
  checkDecoded(request);
  checkDevice(options, request.deviceId);
  const checkPrimary = () => controllers.checkPrimary(request);
  checkPrimary();
  checkHasProgram(options, request.deviceId);
  const kind = await batchKind(options, request);
  return gate.whenSettled(checkPrimary, () => device.write(request.updates, kind));
}

async function batchKind({ device, rules }: ServiceOptions, { atomicity }: WriteRequest): Promise<BatchKind> {
  if (atomicity === WriteRequest_Atomicity.CONTINUE_ON_ERROR) return 'parts';
  // A missing program is the more useful answer.
  await device.checkProgram();
  if (!Object.values(WriteRequest_Atomicity).includes(atomicity as never)) {
    throw invalid(`there is no atomicity ${atomicity}`);
  }
  rules.allow('atomicity', 'the only atomicity is CONTINUE_ON_ERROR');
  return 'whole';
}

async function* readResponses(device: Device, { entities: wanted }: ReadRequest) {
  for await (const entities of device.read(wanted)) yield create(ReadResponseSchema, { entities });
}

async function receive(
  options: ServiceOptions,
  gate: PushGate,
  id: number,
  message: StreamMessageRequest,
): Promise<void> {
  const { device, controllers } = options;
  const { update } = message;
  try {
    checkDecoded(message);
  } catch (cause) {
    // Nobody can tell what comes after it.
    controllers.close(id, cause as Refusal);
    return;
  }
  let details: StreamErrorDetails = { case: 'other', value: {} };
  try {
    switch (update.case) {
      case 'arbitration':
        controllers.arbitrate(id, update.value);
        return;
      case 'packet':
        details = { case: 'packetOut', value: { packetOut: update.value } };
        await gate.whenSettled(
          () => checkStream(options, id),
          () => device.packetOut(update.value),
        );
        return;
      case 'digestAck':
        details = { case: 'digestListAck', value: { digestListAck: update.value } };
        checkStream(options, id);
        device.acknowledge(update.value);
        return;
      default:
        throw unimplemented(`stream message '${update.case ?? 'empty'}'`);
    }
  } catch (cause) {
    if (cause instanceof Silence) return;
    if (cause instanceof Refusal) {
      const reported = options.serverConfig.reported(details);
      if (reported !== undefined) controllers.sendError(id, cause, reported);
    } else options.log('error', `a stream message failed by our own fault: ${(cause as Error).stack}`);
  }
}

function checkStream({ controllers, rules }: ServiceOptions, id: number): void {
  if (controllers.isPrimary(id)) return;
  rules.allow('packet-from-backup', 'Not primary');
  throw new Silence();
}

/** What simple_switch_grpc passes over without a word. */
class Silence extends Error {}

function checkDevice({ deviceId, rules }: ServiceOptions, asked: bigint): void {
  if (asked !== deviceId) rules.allow('other-device', `this is device ${deviceId}, not ${asked}`);
}

/** Another device than this, where it is not turned away, never has a program. */
function checkHasProgram({ deviceId }: ServiceOptions, asked: bigint): void {
  if (asked !== deviceId) throw new Refusal(Code.FAILED_PRECONDITION, noProgram);
}

const noProgram = 'No forwarding pipeline config set for this device';

function selectConfig(
  config: ForwardingPipelineConfig,
  responseType: GetForwardingPipelineConfigRequest['responseType'],
): ForwardingPipelineConfig {
  const { p4info, p4DeviceConfig, cookie } = config;
  switch (responseType) {
    case ResponseType.ALL:
      return config;
    case ResponseType.COOKIE_ONLY:
      return create(ForwardingPipelineConfigSchema, { cookie });
    case ResponseType.P4INFO_AND_COOKIE:
      return create(ForwardingPipelineConfigSchema, { p4info, cookie });
    case ResponseType.DEVICE_CONFIG_AND_COOKIE:
      return create(ForwardingPipelineConfigSchema, { p4DeviceConfig, cookie });
    default:
      throw invalid(`there is no response type ${responseType}`);
  }
}

function answer<Response>(
  options: ServiceOptions,
  callback: (error: Partial<ServiceError> | null, response?: Response) => void,
  work: () => Promise<Response>,
): void {
  work().then(
    (response) => callback(null, response),
    (cause: unknown) => callback(statusOf(options, cause)),
  );
}

function statusOf({ log }: ServiceOptions, cause: unknown): Partial<ServiceError> {
  if (cause instanceof Refusal) return { code: cause.code, details: cause.message };
  if (cause instanceof Error) {
    log('error', `a request failed by our own fault: ${cause.stack}`);
    return { code: Code.INTERNAL, details: sendableText(cause.message) };
  }
  return cause as Partial<ServiceError>;
}
