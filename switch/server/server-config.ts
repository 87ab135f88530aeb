// SPDX-License-Identifier: Apache-2.0
/**
 * p4.server.v1.ServerConfig: how much a controller is told about stream messages that were in error.
 *
 * simple_switch_grpc tells nothing until it is asked to; the specification wants everything told.
 */

import { create } from '@bufbuild/protobuf';
import {
  type Config,
  ConfigSchema,
  GetResponseSchema,
  StreamConfig_ErrorReportingLevel as Level,
  type ServerConfig,
  SetResponseSchema,
} from '../../p4runtime/generated/p4/server/v1/config_pb.ts';
import type { ServiceHandlers } from '../../p4runtime/service-definition.ts';
import type { Rules } from './compat.ts';
import type { StreamErrorDetails } from './controllers.ts';
import { Code, invalid, Refusal } from './refusal.ts';

export class ServerConfiguration {
  readonly #deviceId: bigint;
  #config: Config;

  constructor(deviceId: bigint, rules: Rules) {
    this.#deviceId = deviceId;
    const errorReporting = rules.answer('stream-errors') === 'told' ? Level.DETAILED : Level.DISABLED;
    this.#config = create(ConfigSchema, { stream: { errorReporting } });
  }

  /** What of an error's details may be sent; undefined when the error itself may not. */
  reported(details: StreamErrorDetails): StreamErrorDetails | undefined {
    switch (this.#config.stream?.errorReporting) {
      case Level.DETAILED:
        return details;
      case Level.ENABLED:
        // Which kind of message it was, but not the message.
        return { case: details.case, value: {} } as StreamErrorDetails;
      default:
        return undefined;
    }
  }

  get handlers(): ServiceHandlers<typeof ServerConfig> {
    return {
      set: (call, callback) => {
        const refusal = this.#set(call.request.deviceId, call.request.config);
        if (refusal === undefined) callback(null, create(SetResponseSchema));
        else callback({ code: refusal.code, details: refusal.message });
      },
      get: (call, callback) => {
        const refusal = this.#wrongDevice(call.request.deviceId);
        if (refusal === undefined) callback(null, create(GetResponseSchema, { config: this.#config }));
        else callback({ code: refusal.code, details: refusal.message });
      },
    };
  }

  /** A config without a stream section disables reporting: that is what its zero means. */
  #set(deviceId: bigint, config: Config | undefined): Refusal | undefined {
    const wrong = this.#wrongDevice(deviceId);
    if (wrong !== undefined) return wrong;
    const level = config?.stream?.errorReporting ?? Level.DISABLED;
    if (!Object.values(Level).includes(level as never))
      return invalid(`there is no error reporting level ${level}`);
    this.#config = config ?? create(ConfigSchema);
    return undefined;
  }

  #wrongDevice(asked: bigint): Refusal | undefined {
    if (asked === this.#deviceId) return undefined;
    return new Refusal(Code.NOT_FOUND, `this is device ${this.#deviceId}, not ${asked}`);
  }
}
