// SPDX-License-Identifier: Apache-2.0
/**
 * Makes a grpc-js service definition of a generated service, for client and server alike:
 * `serviceDefinition(P4Runtime)`.
 */
import type { DescMessage, DescMethod, DescService, MessageShape } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
} from '@grpc/grpc-js';

type Input<M> = M extends { input: infer I extends DescMessage } ? MessageShape<I> : never;
type Output<M> = M extends { output: infer O extends DescMessage } ? MessageShape<O> : never;

/** One grpc-js method definition for each method, under its local name (`setForwardingPipelineConfig`). */
export type ServiceDefinitionOf<S extends DescService> = {
  [M in keyof S['method']]: MethodDefinition<Input<S['method'][M]>, Output<S['method'][M]>>;
};

/** What a server passes to `addService` beside the definition: a handler of the right kind for each method. */
export type ServiceHandlers<S extends DescService> = {
  [M in keyof S['method']]: Handler<S['method'][M]>;
};

type Handler<M> = M extends { methodKind: 'unary' }
  ? handleUnaryCall<Input<M>, Output<M>>
  : M extends { methodKind: 'server_streaming' }
    ? handleServerStreamingCall<Input<M>, Output<M>>
    : M extends { methodKind: 'client_streaming' }
      ? handleClientStreamingCall<Input<M>, Output<M>>
      : handleBidiStreamingCall<Input<M>, Output<M>>;

/** The definition of every method of the service: path, kind of streaming, bytes to message and back. */
export function serviceDefinition<S extends DescService>(service: S): ServiceDefinitionOf<S> {
  const methods = service.methods.map((method) => [method.localName, methodDefinition(service, method)]);
  return Object.fromEntries(methods);
}

function methodDefinition(service: DescService, method: DescMethod): MethodDefinition<unknown, unknown> {
  const serializerOf = (schema: DescMessage) => (message: unknown) =>
    Buffer.from(toBinary(schema, message as MessageShape<DescMessage>));
  const deserializerOf = (schema: DescMessage) => (bytes: Buffer) => fromBinary(schema, bytes);
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serializerOf(method.input),
    requestDeserialize: deserializerOf(method.input),
    responseSerialize: serializerOf(method.output),
    responseDeserialize: deserializerOf(method.output),
  };
}
