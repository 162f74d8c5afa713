export * from "./gen/kindred/vector_store/v1/image_pb.ts";
export * from "./gen/kindred/vector_store/v1/index_pb.ts";
export * from "./gen/kindred/vector_store/v1/search_pb.ts";
