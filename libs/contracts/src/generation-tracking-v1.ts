export * from "./gen/kindred/generation_tracking/v1/generation_pb.ts";
export * from "./gen/kindred/generation_tracking/v1/model_cache_pb.ts";
