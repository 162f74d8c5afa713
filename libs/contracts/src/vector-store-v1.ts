export * from "./gen/kindred/vector_store/v1/collection_pb.ts";
export * from "./gen/kindred/vector_store/v1/filter_pb.ts";
export * from "./gen/kindred/vector_store/v1/image_pb.ts";
export * from "./gen/kindred/vector_store/v1/index_pb.ts";
export * from "./gen/kindred/vector_store/v1/operation_pb.ts";
export * from "./gen/kindred/vector_store/v1/recall_pb.ts";
export * from "./gen/kindred/vector_store/v1/search_pb.ts";
export * from "./gen/kindred/vector_store/v1/vector_pb.ts";
