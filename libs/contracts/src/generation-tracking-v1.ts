export * from "./gen/kindred/generation_tracking/v1/generation_pb.ts";
