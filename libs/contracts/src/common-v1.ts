export * from "./gen/kindred/common/v1/embedding_space_pb.ts";
