import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { GenerationService, LineageService } from "@kindred/contracts/generation-tracking/v1";
import { ImageService, SearchService } from "@kindred/contracts/vector-store/v1";

/** The services that the example speaks to. */
export interface Kindred {
  images: Client<typeof ImageService>;
  search: Client<typeof SearchService>;
  generations: Client<typeof GenerationService>;
  lineage: Client<typeof LineageService>;
}

/** @param url of the origin that `kindred up` serves, which passes calls on to the services */
export function connect(url: string): Kindred {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1", defaultTimeoutMs: 60_000 });
  return {
    images: createClient(ImageService, transport),
    search: createClient(SearchService, transport),
    generations: createClient(GenerationService, transport),
    lineage: createClient(LineageService, transport),
  };
}
