import { expect, test } from "@jest/globals";
import { completeRemoteSpec, REMOTE_PRESETS, remoteSpace } from "./presets.ts";

test("the presets and their spaces", () => {
  expect([...REMOTE_PRESETS].map(([name, spec]) => [name, remoteSpace(spec).id])).toEqual([
    [
      "fireworks/qwen3-embedding-8b",
      "fireworks:accounts/fireworks/models/qwen3-embedding-8b@unversioned:2000:unknown:l2:32768",
    ],
    ["openai/text-embedding-3-small", "openai:text-embedding-3-small@unversioned:1536:unknown:l2:8192"],
    ["openai/text-embedding-3-large", "openai:text-embedding-3-large@unversioned:3072:unknown:l2:8192"],
  ]);
});

test("a spec of the least that has to be said", () => {
  const spec = completeRemoteSpec({
    name: "here/model",
    provider: "here",
    baseUrl: "http://localhost:8000/v1/",
    model: "model",
    dimensions: 384,
    normalize: false,
    timeoutMs: undefined,
  });
  expect(spec).toMatchObject({
    baseUrl: "http://localhost:8000/v1",
    apiKeyVariable: undefined,
    matryoshka: false,
    maxTexts: 2048,
    requestsPerMinute: undefined,
    timeoutMs: 60_000,
    encoding: "base64",
  });
  expect(remoteSpace(spec).id).toBe("here:model@unversioned:384:unknown:none:8192");
});

test("every preset names a variable for its key, and stays within OpenAI's limits", () => {
  for (const spec of REMOTE_PRESETS.values()) {
    expect(spec.apiKeyVariable).toMatch(/^[A-Z]+_API_KEY$/);
    expect(spec.maxTexts).toBeLessThanOrEqual(2048);
    expect(spec.maxTokensPerRequest).toBeLessThanOrEqual(300_000);
    expect(spec.baseUrl).toMatch(/^https:/);
  }
});
