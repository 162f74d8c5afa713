import { create, toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import {
  ServerReflection,
  ServerReflectionResponseSchema,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "@kindred/contracts/grpc-reflection/v1";

/** Registers grpc.reflection.v1 for the given services, so that grpcurl can list, describe and call them. */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const all = [...services, ServerReflection];
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const addFile = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    for (const dependency of file.dependencies) addFile(dependency);
    for (const service of file.services) {
      symbols.set(service.typeName, file);
      for (const method of service.methods) symbols.set(`${service.typeName}.${method.name}`, file);
    }
    const addMessages = (messages: DescFile["messages"]): void => {
      for (const message of messages) {
        symbols.set(message.typeName, file);
        for (const nested of message.nestedEnums) symbols.set(nested.typeName, file);
        addMessages(message.nestedMessages);
      }
    };
    addMessages(file.messages);
    for (const enumeration of file.enums) symbols.set(enumeration.typeName, file);
  };
  for (const service of all) addFile(service.file);

  /** A file with all that it imports: callers need the imports to make sense of it. */
  const withDependencies = (file: DescFile, seen = new Set<DescFile>()): Uint8Array[] => {
    if (seen.has(file)) return [];
    seen.add(file);
    return [
      toBinary(FileDescriptorProtoSchema, file.proto),
      ...file.dependencies.flatMap((dependency) => withDependencies(dependency, seen)),
    ];
  };
  const fileReply = (
    file: DescFile | undefined,
    what: string,
  ): ServerReflectionResponse["messageResponse"] =>
    file === undefined
      ? notFound(what)
      : {
          case: "fileDescriptorResponse",
          value: {
            $typeName: "grpc.reflection.v1.FileDescriptorResponse",
            fileDescriptorProto: withDependencies(file),
          },
        };

  const reply = (request: ServerReflectionRequest): ServerReflectionResponse["messageResponse"] => {
    const asked = request.messageRequest;
    switch (asked.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: {
            $typeName: "grpc.reflection.v1.ListServiceResponse",
            service: all.map(({ typeName: name }) => ({
              $typeName: "grpc.reflection.v1.ServiceResponse",
              name,
            })),
          },
        };
      case "fileByFilename":
        return fileReply(files.get(asked.value), `file ${asked.value}`);
      case "fileContainingSymbol":
        return fileReply(symbols.get(asked.value), `symbol ${asked.value}`);
      case "allExtensionNumbersOfType":
      case "fileContainingExtension":
        return notFound("extension: the contracts are proto3 and have none");
      case undefined:
        return failure(Code.InvalidArgument, "message_request is required");
    }
  };

  return (router) => {
    router.service(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          yield create(ServerReflectionResponseSchema, {
            validHost: request.host,
            originalRequest: request,
            messageResponse: reply(request),
          });
        }
      },
    });
  };
}

function failure(code: Code, message: string): ServerReflectionResponse["messageResponse"] {
  return {
    case: "errorResponse",
    value: { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode: code, errorMessage: message },
  };
}

function notFound(what: string): ServerReflectionResponse["messageResponse"] {
  return failure(Code.NotFound, `no ${what}`);
}
