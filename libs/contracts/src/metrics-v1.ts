export * from "./gen/kindred/metrics/v1/metrics_pb.ts";
