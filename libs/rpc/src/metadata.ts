import { Metadata } from "@grpc/grpc-js";

/**
 * Headers as gRPC metadata. Values of keys that end in -bin are base64 in headers and bytes in metadata; other values are
 * printable ASCII in gRPC, and anything else in them is percent-encoded.
 */
export function toMetadata(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, key) => {
    if (!key.endsWith("-bin")) metadata.add(key, value.replaceAll(/[^ -~]/g, encodeURIComponent));
    // Headers joins repeated values with a comma, which base64 never contains.
    else for (const part of value.split(",")) metadata.add(key, Buffer.from(part, "base64"));
  });
  return metadata;
}

/** gRPC metadata as headers. */
export function toHeaders(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) {
      headers.append(key, typeof value === "string" ? value : value.toString("base64"));
    }
  }
  return headers;
}
