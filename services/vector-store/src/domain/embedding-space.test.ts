import { expect, test } from "@jest/globals";
import { parseSpaceId, requireDimensions } from "./embedding-space.ts";

test("an id is read back into its parts", () => {
  const id = "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256";
  const space = parseSpaceId(id);
  expect(space).toEqual({
    id,
    provider: "local",
    model: "sentence-transformers/all-MiniLM-L6-v2",
    revision: "53aa51172d14",
    dimensions: 384,
    pooling: "mean",
    normalization: "l2",
    maxTokens: 256,
  });
  expect(parseSpaceId("ollama:qwen3:8b@v1:384:last:none:2048")?.model).toBe("qwen3:8b");
});

test.each([
  "",
  "another",
  "local:m:384:mean:l2:256",
  "local:m@1:x:mean:l2:256",
  "local:m@1:384:mean:l2",
  ":m@1:384:mean:l2:2",
])("%j is no id of a space", (id) => {
  expect(parseSpaceId(id)).toBeUndefined();
});

test("vectors of other dimensions do not fit", () => {
  const space = parseSpaceId("openai:text-embedding-3-small@1:1536:none:l2:8191");
  if (!space) throw new Error("not parsed");
  expect(() => requireDimensions(space)).toThrow("the catalogue keeps vectors of 384 dimensions");
});
