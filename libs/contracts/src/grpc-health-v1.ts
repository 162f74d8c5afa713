export * from "./gen/health/v1/health_pb.ts";
