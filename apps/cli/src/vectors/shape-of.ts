import { ElementType, type Collection } from "@kindred/contracts/vector-store/v1";
import type { Clients } from "../clients.ts";
import type { VectorShape } from "./vector-text.ts";

/** How the vectors of a collection are to be read. @throws what GetCollection throws: not-found above all. */
export async function shapeOf(clients: Pick<Clients, "collections">, name: string): Promise<VectorShape> {
  const { collection } = await clients.collections.getCollection({ name });
  return shapeOfCollection(collection);
}

export function shapeOfCollection(collection: Collection | undefined): VectorShape {
  const { elementType, dimensions } = collection ?? { elementType: ElementType.UNSPECIFIED, dimensions: 0 };
  return {
    elementType: elementType === ElementType.UNSPECIFIED ? ElementType.VECTOR : elementType,
    dimensions,
  };
}
