import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { NotCoco, parseCoco, readCocoFile } from "./coco-file.ts";

const image = (id: number): object => ({ id, file_name: `${id}.jpg`, width: 640, height: 480 });
const caption = (id: number, imageId: number): object => ({
  id,
  image_id: imageId,
  caption: `caption ${id}`,
});

test("pictures by ascending id, captions by ascending annotation id", () => {
  const pictures = parseCoco({
    images: [image(7), image(3), { id: 5, file_name: "5.jpg", height: null }],
    annotations: [caption(20, 7), caption(4, 7), caption(9, 3)],
    info: { year: 2017 },
  });
  expect(pictures).toEqual([
    { fileName: "3.jpg", width: 640, height: 480, captions: [{ id: 9, text: "caption 9" }] },
    { fileName: "5.jpg", width: undefined, height: undefined, captions: [] },
    {
      fileName: "7.jpg",
      width: 640,
      height: 480,
      captions: [
        { id: 4, text: "caption 4" },
        { id: 20, text: "caption 20" },
      ],
    },
  ]);
});

describe("what is not COCO is named", () => {
  test.each<[unknown, string]>([
    [[], "the top level is [], not an object"],
    ["text", 'the top level is "text", not an object'],
    [{}, 'it has no "images"'],
    [{ images: {} }, '"images" is not a list'],
    [{ images: [] }, 'it has no "annotations"'],
    [{ images: [], annotations: [] }, "it has no images"],
    [{ images: [image(1), 5], annotations: [] }, "images[1] is 5, not an object"],
    [{ images: [{ ...image(1), id: "1" }], annotations: [] }, 'images[0].id is "1", not an integer'],
    [{ images: [{ ...image(1), id: 1.5 }], annotations: [] }, "images[0].id is 1.5, not an integer"],
    [{ images: [{ id: 1 }], annotations: [] }, "images[0].file_name is missing"],
    [{ images: [{ ...image(1), file_name: "" }], annotations: [] }, 'images[0].file_name is ""'],
    [
      { images: [{ ...image(1), width: 0 }], annotations: [] },
      "images[0].width is 0, not a number of pixels",
    ],
    [{ images: [image(1), image(1)], annotations: [] }, "images[1].id 1 is there twice"],
    [
      { images: [image(1), { ...image(2), file_name: "1.jpg" }], annotations: [] },
      'images[1].file_name "1.jpg" is there twice',
    ],
    [
      { images: [image(1)], annotations: [{ id: 1, image_id: 1, bbox: [] }] },
      "annotations[0] has no caption (is it an instances or keypoints file?)",
    ],
    [
      { images: [image(1)], annotations: [{ ...caption(1, 1), caption: " " }] },
      'annotations[0].caption is " "',
    ],
    [{ images: [image(1)], annotations: [caption(1, 2)] }, "annotations[0].image_id 2 is none of the images"],
    [
      { images: [image(1)], annotations: [caption(1, 1), caption(1, 1)] },
      "annotations[1].id 1 is there twice",
    ],
  ])("%j", (content, message) => {
    expect(() => parseCoco(content)).toThrow(new NotCoco(message));
  });
});

async function reading(text: string | undefined): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "kindred-coco-"));
  const path = join(folder, "file.json");
  try {
    if (text !== undefined) writeFileSync(path, text);
    return await readCocoFile(path).catch((error: unknown) => error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a file", () => {
  test.each([
    [undefined, /cannot be read: there is no such file\.$/],
    ["not json", /is not JSON \(/],
    ["", /is not JSON \(/],
    ['{"images": []}', /is not a COCO captions file: it has no "annotations"\.$/],
  ])("%j is refused in one line, with exit code 65", async (text, message) => {
    const failure = await reading(text);
    expect(failure).toMatchObject({ name: "Failure", exitCode: 65, message: expect.stringMatching(message) });
    expect((failure as Error).message).not.toContain("\n");
  });

  test("that is COCO is read", async () => {
    const text = JSON.stringify({ images: [image(1)], annotations: [caption(1, 1)] });
    expect(await reading(text)).toHaveLength(1);
  });
});
