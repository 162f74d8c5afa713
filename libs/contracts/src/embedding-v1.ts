export * from "./gen/kindred/embedding/v1/embedding_pb.ts";
