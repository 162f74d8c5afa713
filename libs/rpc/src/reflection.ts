import { toBinary, type DescFile, type DescMessage, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createMethodImplSpec, type MethodImplSpec } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "@kindred/contracts/google-rpc";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "@kindred/contracts/grpc-reflection/v1";
import type { MessageInitShape } from "@bufbuild/protobuf";

type Reply = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/**
 * grpc.reflection.v1 for the given services, so that grpcurl can list, describe and call them; and the same as v1alpha,
 * whose messages have the same fields, for tools that know only that.
 */
export function reflectionMethods(services: readonly DescService[]): MethodImplSpec[] {
  const index = indexFiles([...services, ServerReflection]);
  const method = ServerReflection.method.serverReflectionInfo;
  const spec = createMethodImplSpec(method, async function* (requests) {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: reply(request, index) };
    }
  });
  const alpha = {
    ...method,
    parent: { ...method.parent, typeName: "grpc.reflection.v1alpha.ServerReflection" },
  };
  return [spec, { ...spec, method: alpha } as MethodImplSpec];
}

interface Index {
  services: readonly DescService[];
  files: ReadonlyMap<string, DescFile>;
  /** Services, methods, messages and enums by full name. */
  symbols: ReadonlyMap<string, DescFile>;
}

function indexFiles(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const addMessage = (message: DescMessage): void => {
    symbols.set(message.typeName, message.file);
    for (const nested of message.nestedEnums) symbols.set(nested.typeName, message.file);
    for (const nested of message.nestedMessages) addMessage(nested);
  };
  const addFile = (file: DescFile): void => {
    if (files.has(fileName(file))) return;
    files.set(fileName(file), file);
    for (const dependency of file.dependencies) addFile(dependency);
    for (const message of file.messages) addMessage(message);
    for (const enumeration of file.enums) symbols.set(enumeration.typeName, file);
    for (const service of file.services) {
      symbols.set(service.typeName, file);
      for (const method of service.methods) symbols.set(`${service.typeName}.${method.name}`, file);
    }
  };
  for (const service of services) addFile(service.file);
  // No file imports it, but errors carry its messages, and grpcurl asks here what they are.
  addFile(file_google_rpc_error_details);
  return { services, files, symbols };
}

/** The name by which other files import it. */
function fileName(file: DescFile): string {
  return file.proto.name;
}

function reply(request: ServerReflectionRequest, index: Index): Reply {
  const asked = request.messageRequest;
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: index.services.map(({ typeName: name }) => ({ name })) },
      };
    case "fileByFilename":
      return fileReply(index.files.get(asked.value), `file ${asked.value}`);
    case "fileContainingSymbol":
      return fileReply(index.symbols.get(asked.value), `symbol ${asked.value}`);
    case "allExtensionNumbersOfType":
      return index.symbols.has(asked.value)
        ? { case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value, extensionNumber: [] } }
        : failure(Code.NotFound, `no type ${asked.value}`);
    case "fileContainingExtension":
      return failure(Code.NotFound, "no such extension: the contracts define none");
    case undefined:
      return failure(Code.InvalidArgument, "message_request is required");
  }
}

function fileReply(file: DescFile | undefined, what: string): Reply {
  if (file === undefined) return failure(Code.NotFound, `no ${what}`);
  const withImports = new Set<DescFile>();
  const add = (next: DescFile): void => {
    if (withImports.has(next)) return;
    withImports.add(next);
    next.dependencies.forEach(add);
  };
  add(file);
  return {
    case: "fileDescriptorResponse",
    value: { fileDescriptorProto: [...withImports].map((f) => toBinary(FileDescriptorProtoSchema, f.proto)) },
  };
}

function failure(errorCode: Code, errorMessage: string): Reply {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
