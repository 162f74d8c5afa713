import type { ChannelOptions } from "@grpc/grpc-js";

/**
 * Message limits on both sides, and an HTTP/2 window that lets a large message through in one go: Node's default of 64 KiB
 * costs a round trip for each 64 KiB.
 */
export function grpcChannelOptions(maxMessageBytes: number): ChannelOptions {
  return {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc-node.flow_control_window": 8 * 2 ** 20,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
  };
}
