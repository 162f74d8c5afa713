import { expect, jest, test } from "@jest/globals";
import sharp from "sharp";
import { composePicture, pictures } from "./index.ts";
import { readChunks } from "./png.ts";

// Drawing takes its time on a busy machine.
jest.setTimeout(120_000);

const [first, second, third] = pictures.map(({ path }) => path) as [string, string, string];

test("is a whole PNG file of the gallery's size", async () => {
  const file = await composePicture({ paths: [first, second, third], seed: 7 });
  expect(readChunks(file)?.at(-1)?.type).toBe("IEND");
  expect(await sharp(file).metadata()).toMatchObject({ format: "png", width: 480, height: 360 });
});

test("the same pictures and the same seed give the same bytes; anything else gives others", async () => {
  const file = await composePicture({ paths: [first, second], seed: 7 });
  expect(await composePicture({ paths: [first, second], seed: 7 })).toEqual(file);
  expect(await composePicture({ paths: [first, second], seed: 8 })).not.toEqual(file);
  expect(await composePicture({ paths: [second, first], seed: 7 })).not.toEqual(file);
  expect(await composePicture({ paths: [first], seed: 7 })).not.toEqual(file);
});

test("says how far it is, and waits for who hears it", async () => {
  const steps: string[] = [];
  await composePicture({
    paths: [first, second, third],
    seed: 1,
    onStep: async (done, total) => {
      await Promise.resolve();
      steps.push(`${done} of ${total}`);
    },
  });
  expect(steps).toEqual(["1 of 3", "2 of 3", "3 of 3"]);
});

test("what is not of the gallery is a sheet in a colour of its own", async () => {
  const [one, other] = await Promise.all(
    ["coco/1.jpg", "coco/2.jpg"].map((path) => composePicture({ paths: [path], seed: 1 })),
  );
  expect(one).not.toEqual(other);
  const { channels } = await sharp(one).stats();
  for (const { min, max } of channels.slice(0, 3)) {
    expect(max).toBe(min);
    expect(min).toBeGreaterThanOrEqual(128);
  }
  expect(await composePicture({ paths: [first, "coco/1.jpg"], seed: 1 })).not.toEqual(
    await composePicture({ paths: [first, "coco/2.jpg"], seed: 1 }),
  );
});

test("refuses none and too many", async () => {
  await expect(composePicture({ paths: [], seed: 1 })).rejects.toThrow("1 to 8 pictures, not of 0");
  await expect(composePicture({ paths: Array.from({ length: 9 }, () => first), seed: 1 })).rejects.toThrow(
    RangeError,
  );
});
