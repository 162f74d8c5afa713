export * from "./gen/kindred/common/v1/database_usage_pb.ts";
export * from "./gen/kindred/common/v1/embedding_space_pb.ts";
export * from "./gen/kindred/common/v1/operation_pb.ts";
