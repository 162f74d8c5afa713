export * from "./gen/kindred/generation_tracking/v1/generation_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/generation_filter_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/lineage_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/model_cache_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/operation_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/retention_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/session_pb.ts";
