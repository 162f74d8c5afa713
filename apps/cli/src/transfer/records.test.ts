import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { GenerationSchema, GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { EmbeddingSchema, ImageSchema } from "@kindred/contracts/vector-store/v1";
import fc from "fast-check";
import { exportKey, generationLine, parseGenerationLine } from "./generation-record.ts";
import { imageLine, parseImageLine } from "./image-record.ts";

describe("an image's line", () => {
  test("is read as it was written, and its vectors have the same bits", () => {
    fc.assert(
      fc.property(
        fc.record({
          imagePath: fc.string({ minLength: 1 }),
          description: fc.string({ unit: "grapheme" }),
          tags: fc.array(fc.string(), { maxLength: 3 }),
          fileSizeBytes: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { nil: undefined }),
        }),
        fc.array(fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 8 }), {
          maxLength: 3,
        }),
        ({ fileSizeBytes, ...fields }, vectors) => {
          const image = create(ImageSchema, {
            id: 2n ** 60n,
            ...fields,
            ...(fileSizeBytes !== undefined && { fileSizeBytes }),
          });
          const embeddings = vectors.map((vector, i) => ({
            embedding: create(EmbeddingSchema, {
              key: `k${i}`,
              spaceId: "s",
              metadata: { text: "x", i, nested: [{}] },
            }),
            vector: new Uint8Array(vector.slice().buffer),
          }));
          const { message, isBare } = parseImageLine(imageLine({ image, embeddings }).trimEnd());
          expect(isBare).toBe(embeddings.length === 0 && fields.description !== "");
          expect(message.image).toMatchObject(fields);
          expect(message.image?.fileSizeBytes).toBe(fileSizeBytes);
          expect(message.embeddings).toMatchObject(
            embeddings.map(({ embedding, vector }) => ({
              key: embedding.key,
              metadata: embedding.metadata,
              source: { case: "vector", value: { data: vector, spaceId: "s" } },
            })),
          );
        },
      ),
    );
  });

  test("without embeddings leaves them to the description; with none there shall be none", () => {
    expect(parseImageLine('{"image_path": "a", "description": "b"}').isBare).toBe(false);
    expect(parseImageLine('{"image_path": "a", "description": "b", "embeddings": []}').isBare).toBe(true);
  });

  test("without vectors has the texts instead", () => {
    const image = create(ImageSchema, { imagePath: "a" });
    const embedding = create(EmbeddingSchema, { key: "k", spaceId: "s", metadata: { text: "A cat." } });
    const line = imageLine({ image, embeddings: [{ embedding, vector: undefined }] });
    expect(parseImageLine(line).message.embeddings).toMatchObject([
      { key: "k", source: { case: "text", value: "A cat." } },
    ]);
  });

  test.each([
    ["{", "it is no JSON"],
    ["[]", "it is no JSON object such as"],
    ["{}", '"image_path" has to be a text that is not empty'],
    ['{"image_path": 1}', '"image_path": expected string, got 1'],
    ['{"image_path": "a", "width": 1.5}', '"width": '],
    ['{"image_path": "a", "colour": "red"}', '"colour" is no member of an image'],
    ['{"image_path": "a", "embeddings": {}}', '"embeddings" has to be a list'],
    ['{"image_path": "a", "embeddings": [1]}', '"embeddings", number 1: it is no object'],
    [
      '{"image_path": "a", "embeddings": [{"key": "k"}]}',
      '"embeddings", number 1: an embedding has a "vector" or a "text", one of them',
    ],
    [
      '{"image_path": "a", "embeddings": [{"vector": [1, 1e39]}]}',
      '"embeddings", number 1: "vector" has 1e+39 at position 1, which is no finite float32',
    ],
    [
      '{"image_path": "a", "embeddings": [{"text": "x", "year": 1}]}',
      '"embeddings", number 1: "year" is no member of an embedding; what else is known of it goes into "metadata"',
    ],
  ])("that is wrong is refused: %s", (line, message) => {
    expect(() => parseImageLine(line)).toThrow(message);
  });
});

describe("a generation's line", () => {
  const init = {
    id: 7n,
    prompt: "a kite",
    seed: -(2n ** 63n),
    guidanceScale: 7.25,
    modelConfig: { model: "sd", list: [1, null] },
    retrievedExamples: [{ imageId: 2n ** 62n, imagePath: "a", caption: "b", similarity: 0.5 }],
    status: GenerationStatus.FAILED,
    errorMessage: "no",
    createdAt: { seconds: 1_700_000_000n, nanos: 123_456_000 },
  } satisfies MessageInitShape<typeof GenerationSchema>;
  const full = create(GenerationSchema, init);

  test("is read as it was written", () => {
    const { fields, createdAt, idempotencyKey } = parseGenerationLine(generationLine(full));
    expect(fields).toMatchObject({
      prompt: "a kite",
      seed: -(2n ** 63n),
      guidanceScale: 7.25,
      modelConfig: full.modelConfig,
      status: GenerationStatus.FAILED,
      errorMessage: "no",
      retrievedExamples: [{ imageId: 2n ** 62n, similarity: 0.5 }],
    });
    expect(fields.generationTimeMs).toBeUndefined();
    expect(createdAt).toMatchObject({ seconds: 1_700_000_000n, nanos: 123_456_000 });
    expect(idempotencyKey).toBe(exportKey(full));
  });

  test("leaves out what only the Kindred can say that exported it", () => {
    const { fields } = parseGenerationLine(
      generationLine(
        create(GenerationSchema, {
          ...init,
          parentId: 3n,
          labels: ["a"],
          rating: 5,
          modelName: "sd",
          outputs: [{ path: "1.png", sha256: new Uint8Array(32).fill(1) }],
          progress: { done: 3 },
          finishedAt: { seconds: 1_700_000_001n },
        }),
      ),
    );
    expect(fields.parentId).toBeUndefined();
    expect(fields).toMatchObject({ labels: ["a"], rating: 5, modelName: "sd", outputs: [{ path: "1.png" }] });
  });

  test("without a key is known by what it says, with one by that", () => {
    const keyOf = (line: string): string => parseGenerationLine(line).idempotencyKey;
    expect(keyOf('{"prompt": "a"}')).toBe(keyOf('{ "prompt":"a" }'));
    expect(keyOf('{"prompt": "a"}')).not.toBe(keyOf('{"prompt": "b"}'));
    expect(keyOf('{"prompt": "a", "idempotency_key": "mine"}')).toBe("mine");
    expect(parseGenerationLine('{"prompt": "a", "status": "cancelled"}').fields.status).toBe(
      GenerationStatus.CANCELLED,
    );
  });

  test.each([
    ['{"prompt": ""}', '"prompt" has to be a text that is not empty'],
    ['{"prompt": "a", "status": "odd"}', '"odd"'],
    ['{"prompt": "a", "created_at": "yesterday"}', '"created_at" has to be a time'],
    ['{"prompt": "a", "seed": 1.5}', '"seed": '],
    ['{"prompt": "a", "stepz": 1}', '"stepz" is no member of a generation'],
    ['{"prompt": "a", "idempotency_key": ""}', '"idempotency_key" has to be a text that is not empty'],
    ['{"prompt": "a", "retrieved_examples": [{"x": 1}]}', 'key "x" is unknown'],
  ])("that is wrong is refused: %s", (line, message) => {
    expect(() => parseGenerationLine(line)).toThrow(message);
  });
});
