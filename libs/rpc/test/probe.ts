import { createFileRegistry, type Message } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel as IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";

/** A message with a field of each sort that matters on the wire. */
export type Payload = Message<"probe.v1.Payload"> & { text: string; count: number; data: Uint8Array };

type Method<Kind extends string> = {
  methodKind: Kind;
  input: GenMessage<Payload>;
  output: GenMessage<Payload>;
};

const field = (name: string, number: number, type: Type) => ({
  name,
  jsonName: name,
  number,
  type,
  label: Label.OPTIONAL,
});

const method = (name: string, clientStreaming: boolean, serverStreaming: boolean, reads = false) => ({
  name,
  inputType: ".probe.v1.Payload",
  outputType: ".probe.v1.Payload",
  clientStreaming,
  serverStreaming,
  ...(reads ? { options: { idempotencyLevel: IdempotencyLevel.NO_SIDE_EFFECTS } } : {}),
});

const file = create(FileDescriptorProtoSchema, {
  name: "probe/v1/probe.proto",
  package: "probe.v1",
  syntax: "proto3",
  messageType: [
    {
      name: "Payload",
      field: [field("text", 1, Type.STRING), field("count", 2, Type.INT32), field("data", 3, Type.BYTES)],
    },
  ],
  service: [
    {
      name: "ProbeService",
      method: [
        method("Read", false, false, true),
        method("Write", false, false),
        method("Collect", true, false),
        method("Spread", false, true),
        method("Chat", true, true),
      ],
    },
  ],
});

/** A service with all four kinds of methods; Read has no side effects. */
export const ProbeService = createFileRegistry(file, () => undefined).getService(
  "probe.v1.ProbeService",
) as GenService<{
  read: Method<"unary">;
  write: Method<"unary">;
  collect: Method<"client_streaming">;
  spread: Method<"server_streaming">;
  chat: Method<"bidi_streaming">;
}>;
