import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, type Any } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "@kindred/contracts/google-rpc";

// gRPC carries an error's details as a google.rpc.Status in the trailer grpc-status-details-bin.

/** The trailer's value; undefined when the error has no details. */
export function encodeStatusDetails(error: ConnectError): Buffer | undefined {
  if (error.details.length === 0) return undefined;
  const details = error.details.map((detail): Any => {
    if ("desc" in detail) return anyPack(detail.desc, create(detail.desc, detail.value));
    return {
      $typeName: "google.protobuf.Any",
      typeUrl: `type.googleapis.com/${detail.type}`,
      value: detail.value,
    };
  });
  const status = create(StatusSchema, { code: error.code, message: error.rawMessage, details });
  return Buffer.from(toBinary(StatusSchema, status));
}

/** The error that a code, a message and the trailer's value describe. A trailer that cannot be read is passed over. */
export function decodeStatusDetails(
  code: number,
  message: string,
  trailer: Uint8Array | undefined,
): ConnectError {
  const error = new ConnectError(message, code in Code ? (code as Code) : Code.Unknown);
  if (trailer === undefined) return error;
  try {
    error.details = fromBinary(StatusSchema, trailer).details.map((any) => ({
      type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
      value: any.value,
    }));
  } catch {
    // Code and message are what counts; a peer that garbles its details still told us those.
  }
  return error;
}
