import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { bench } from "../parts/buildings.ts";
import { apple, watermelonSlice } from "../parts/foods.ts";
import { glass } from "../parts/tableware.ts";
import { armchair, bookcase, floorLamp, room, rug, windowBars, windowFrame } from "../parts/furniture.ts";
import { hills, meadow, mountain, shadow } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { dogSitting, GOLDEN } from "../parts/pets.ts";
import { autumnTree, leafyTree, pine } from "../parts/plants.ts";
import { cloud, sky, sun } from "../parts/skies.ts";

export const people: readonly Scene[] = [
  scene(
    "girl-balloons",
    "A little girl holds a bunch of colourful balloons.",
    ["girl", "balloons", "child", "happy"],
    () => [
      sky("day"),
      cloud(90, 80, 1.1),
      cloud(400, 120, 0.9),
      hills(260, 14, "#a9d47f"),
      meadow(274, 4),
      shadow(220, 336, 36),
      [
        [236, 96, "#e5484d"],
        [280, 74, "#f2c230"],
        [322, 100, "#3f87d8"],
        [258, 140, "#5fa46a"],
        [304, 146, "#b06bd0"],
      ].map(([x, y, colour]) => [
        stroke(`M${x} ${(y as number) + 30}Q270 200 248 232`, "#8a8f99", 1.4),
        ellipse(x as number, y as number, 25, 31, colour as string),
        ellipse((x as number) - 8, (y as number) - 10, 5, 9, "#ffffff", { opacity: 0.45, rotate: 20 }),
      ]),
      person(
        220,
        336,
        { scale: 1.35 },
        {
          ...POSES.standing,
          arms: [limb(-13, -62, -14, -47), limb(18, -70, 21, -82)],
        },
        {
          shirt: "#f27aa0",
          skirt: "#f27aa0",
          shortSleeves: true,
          hairStyle: "long",
          hair: "#8a4a24",
          shoes: "#c9403f",
        },
      ),
    ],
  ),
  scene(
    "picnic-family",
    "A family enjoys a picnic on a blanket in the park.",
    ["family", "picnic", "park", "summer", "food"],
    () => [
      sky("noon"),
      cloud(360, 60, 1),
      hills(200, 14, "#9ed07a"),
      [leafyTree(70, 250, 2), leafyTree(420, 226, 1.2)],
      meadow(222, 6),
      polygon("110,350 390,350 350,288 150,288", "#f4f1ea"),
      repeat(7, (i) =>
        polygon(
          `${116 + i * 40},350 ${136 + i * 40},350 ${168 + i * 28},288 ${154 + i * 28},288`,
          "#e5484d",
          { opacity: 0.55 },
        ),
      ),
      person(
        150,
        330,
        { scale: 1.15 },
        {
          ...POSES.sitting,
          hips: [-2, -18],
          shoulders: [0, -48],
          head: [2, -64],
          arms: [limb(12, -34, 24, -30), limb(10, -32, 24, -26)],
          legs: [limb(20, -24, 34, 0), limb(22, -20, 40, 2)],
        },
        { shirt: "#3f87d8", shortSleeves: true, trousers: "#39465a", face: "right", skin: SKIN.tan },
      ),
      person(
        352,
        330,
        { scale: 1.15, flip: true },
        {
          ...POSES.sitting,
          hips: [-2, -18],
          shoulders: [0, -48],
          head: [2, -64],
          arms: [limb(12, -34, 24, -30), limb(10, -32, 24, -26)],
          legs: [limb(20, -24, 34, 0), limb(22, -20, 40, 2)],
        },
        {
          shirt: "#f27aa0",
          shortSleeves: true,
          trousers: "#7b5aa8",
          hairStyle: "long",
          hair: "#5a3420",
          face: "right",
        },
      ),
      person(
        250,
        306,
        { scale: 0.8 },
        { ...POSES.cheering },
        { shirt: "#f2c230", shortSleeves: true, shorts: true, trousers: "#5fa46a", skin: SKIN.fair },
      ),
      [path("M226 330H278L272 350H232Z", "#c99a62"), stroke("M230 330Q252 300 274 330", "#a5773f", 4)],
      watermelonSlice(312, 334, { scale: 0.2 }),
      glass(204, 348, { scale: 0.32 }, "#f59a3a", false),
      apple(300, 350, { scale: 0.3 }),
    ],
  ),
  scene(
    "grandmother-reading",
    "A grandmother reads a story to a child in an armchair.",
    ["grandmother", "child", "reading", "book", "armchair"],
    () => [
      room(downward("#e6d3c4", "#d9bfa9"), "#8f6645", 270),
      bookcase(20, 270, 120, 4, 12),
      windowFrame(340, 40, 100, 120, downward("#2f3a6b", "#8a6f9a")),
      windowBars(340, 40, 100, 120),
      floorLamp(330, 316, { scale: 1.3 }),
      rug(230, 334, 190, 22, ["#8f3f3a", "#d9b07a", "#8f3f3a"]),
      armchair(220, 326, { scale: 1.75 }, "#4f7f6b", "#3a6353"),
      person(
        200,
        330,
        { scale: 1.35 },
        {
          ...POSES.sitting,
          arms: [limb(12, -58, 24, -60), limb(12, -54, 26, -56)],
        },
        { shirt: "#8a6fae", skirt: "#6b5590", hair: "#d7d9de", hairStyle: "bun", face: "right" },
      ),
      person(
        262,
        326,
        { scale: 0.85, flip: true },
        {
          ...POSES.sitting,
          legs: [limb(16, -40, 18, -18), limb(20, -38, 22, -14)],
        },
        { shirt: "#f2c230", trousers: "#3f87d8", hair: "#8a4a24", face: "right" },
      ),
      polygon("216,244 240,250 264,244 264,268 240,275 216,268", "#fdfbf3"),
      stroke("M240 250V275", "#b9b2a3", 1.6),
      stroke("M220 252l16 4M220 259l16 4M244 256l16 -4M244 263l16 -4", "#8a8d94", 1),
    ],
  ),
  scene(
    "couple-dancing",
    "A couple dances together under a glittering disco ball.",
    ["couple", "dancing", "party", "disco", "music"],
    () => [
      rect(0, 0, 480, 360, downward("#2a1747", "#5b2a6b", "#8a3f6b")),
      [60, 160, 320, 420].map((x, i) =>
        polygon(
          `240,70 ${x - 40},360 ${x + 40},360`,
          fade(["#f27aa0", "#f2c230", "#5fc2b0", "#7f8bf5"][i] as string, 0.35, 0.05),
        ),
      ),
      stroke("M240 0V34", "#d7dbe0", 2),
      circle(240, 66, 34, downward("#eef2f6", "#9aa5b5")),
      repeat(5, (i) =>
        stroke(`M${206 + Math.abs(i - 2) * 4} ${42 + i * 12}H${274 - Math.abs(i - 2) * 4}`, "#6b7485", 1.4),
      ),
      repeat(5, (i) => stroke(`M240 32Q${208 + i * 16} 66 240 100`, "#6b7485", 1.4)),
      repeat(4, (r) =>
        repeat(10, (i) =>
          rect(i * 48, 280 + r * 20, 48, 20, ["#4a2560", "#5f2f78", "#7a3f8f"][(i + r) % 3] as string),
        ),
      ),
      shadow(230, 344, 70, 9, 0.35),
      person(
        204,
        342,
        { scale: 1.75 },
        {
          ...POSES.walking,
          arms: [limb(14, -66, 30, -64), limb(14, -82, 30, -96)],
        },
        { shirt: "#26324a", trousers: "#1d2438", skin: SKIN.brown, face: "right" },
      ),
      person(
        284,
        342,
        { scale: 1.65, flip: true },
        {
          ...POSES.standing,
          arms: [limb(14, -66, 30, -64), limb(14, -84, 24, -104)],
        },
        {
          shirt: "#e5383f",
          skirt: "#e5383f",
          shortSleeves: true,
          hairStyle: "long",
          hair: "#3a2018",
          shoes: "#e5383f",
          face: "right",
        },
      ),
      scatter(4, 60, { x: 0, y: 90, w: 480, h: 180 }, (x, y, random) =>
        circle(
          x,
          y,
          2 + random() * 2,
          ["#f27aa0", "#f2c230", "#8fd0ff", "#ffffff"][Math.floor(random() * 4)] as string,
          { opacity: 0.8 },
        ),
      ),
    ],
  ),
  scene(
    "hikers-trail",
    "Two hikers with backpacks walk towards the mountains.",
    ["hiking", "mountains", "backpack", "trail", "adventure"],
    () => [
      sky("day"),
      sun(80, 70),
      mountain(140, 240, 320, 160, { rock: "#8b98ac", shade: "#66748a" }),
      mountain(360, 240, 340, 190, { rock: "#97a4b7", shade: "#717f95" }),
      hills(236, 16, "#8cc26b", 1.4),
      meadow(252, 7),
      path(
        "M60 360C160 330 200 310 260 290C310 274 330 262 340 250L352 252C344 270 320 288 290 306C230 336 200 350 170 360Z",
        "#d9c39a",
      ),
      [pine(40, 300, 1), pine(440, 306, 1.2), pine(400, 280, 0.7)],
      [
        [190, 336, 1.25, "#e5484d", "#f2c230"],
        [276, 318, 1.1, "#3f87d8", "#5fa46a"],
      ].map(([x, y, s, shirt, pack], i) => [
        shadow(x as number, y as number, 30),
        person(x as number, y as number, { scale: s as number }, POSES.walking, {
          shirt: shirt as string,
          trousers: "#5b5344",
          hairStyle: i ? "cap" : "bun",
          hat: "#f4efe4",
          hair: "#5a3420",
          shoes: "#6b4429",
          face: "right",
          skin: i ? SKIN.brown : SKIN.fair,
        }),
        at(
          x as number,
          y as number,
          { scale: s as number },
          rect(-26, -80, 18, 34, pack as string, { round: 6 }),
          rect(-27, -86, 20, 9, "#6b5a48", { round: 4 }),
        ),
        stroke(
          `M${(x as number) + 22} ${(y as number) - 66}L${(x as number) + 32} ${y as number}`,
          "#8a5a34",
          3,
        ),
      ]),
    ],
  ),
  scene(
    "woman-bench-autumn",
    "A woman reads a book on a park bench with her dog beside her.",
    ["woman", "reading", "bench", "dog", "autumn"],
    () => [
      rect(0, 0, 480, 360, downward("#f9e3bd", "#fdf3dd")),
      [autumnTree(60, 260, 1.9), autumnTree(420, 256, 1.8), autumnTree(250, 236, 1.1)],
      rect(0, 244, 480, 116, downward("#b9a04f", "#8f7a38")),
      bench(220, 330, { scale: 1.6 }),
      person(
        200,
        334,
        { scale: 1.45 },
        {
          ...POSES.sitting,
          arms: [limb(14, -62, 28, -64), limb(12, -58, 28, -60)],
        },
        { shirt: "#7b3f5a", trousers: "#39465a", hairStyle: "long", hair: "#8a3f24", face: "right" },
      ),
      polygon("232,240 250,234 252,252 234,258", "#3f87d8"),
      shadow(350, 340, 36),
      dogSitting(350, 340, { scale: 0.95 }, GOLDEN),
      scatter(8, 26, { x: 0, y: 20, w: 480, h: 330 }, (x, y, random) =>
        ellipse(x, y, 5, 3, ["#d9702b", "#e9a23b", "#b44a22"][Math.floor(random() * 3)] as string, {
          rotate: random() * 180,
        }),
      ),
    ],
  ),
];
