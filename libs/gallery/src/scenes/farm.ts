import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke, type Drawing } from "../drawing/svg.ts";
import { fence, house } from "../parts/buildings.ts";
import { chick, cow, duck, goat, hen, horse, pig, rooster, sheep } from "../parts/farm-animals.ts";
import { flowers, glitter, ground, hills, meadow, mountain, sea, shadow } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { bush, grassTuft, leafyTree } from "../parts/plants.ts";
import { tractor } from "../parts/road-vehicles.ts";
import { cloud, distantBirds, sky, sun } from "../parts/skies.ts";

function barn(x: number, y: number, scale: number): Drawing {
  return at(
    x,
    y,
    { scale },
    polygon("-60,0 -60,-60 -42,-92 0,-108 42,-92 60,-60 60,0", "#b4382f"),
    polygon("-66,-58 -46,-96 0,-114 46,-96 66,-58 60,-56 42,-90 0,-106 -42,-90 -60,-56", "#f4efe4"),
    rect(-24, -52, 48, 52, "#f4efe4"),
    rect(-21, -49, 42, 49, "#9c2d26"),
    stroke("M-21 -49L21 0M21 -49L-21 0", "#f4efe4", 3),
    rect(-9, -84, 18, 18, "#3a2420", { stroke: "#f4efe4", width: 3 }),
  );
}

function hayBale(x: number, y: number, r: number): Drawing {
  return [
    shadow(x, y, r * 1.1),
    circle(x, y - r, r, "#dfb04c"),
    repeat(3, (i) => circle(x, y - r, r * (0.78 - i * 0.24), "none", { stroke: "#b98a2f", width: 1.6 })),
  ];
}

export const farm: readonly Scene[] = [
  scene(
    "horse-sunset",
    "A brown horse stands in a pasture as the sun goes down.",
    ["horse", "pasture", "sunset"],
    () => [
      sky("sunset"),
      sun(366, 196, 34, "#ffd27a"),
      hills(222, 14, "#7a5a68", 1),
      hills(240, 12, "#5f6a4a", 2.2),
      ground(250, "#6f8a4a", "#3f5a34"),
      fence(-6, 276, 500, "#5a4038", 52),
      shadow(214, 332, 84),
      horse(206, 332, { scale: 1.4 }),
      repeat(7, (i) => grassTuft(20 + i * 74, 352 - (i % 3) * 6, 0.9, "#3f5a2f")),
    ],
  ),
  scene(
    "galloping-horses",
    "Two horses gallop across an open field.",
    ["horses", "gallop", "field", "wild"],
    () => [
      sky("day"),
      cloud(100, 66, 1.2),
      cloud(360, 90, 0.9),
      mountain(120, 226, 260, 100, { rock: "#8f9cae", shade: "#6d7a8e" }),
      mountain(330, 226, 320, 126, { rock: "#9aa7b8", shade: "#76849a" }),
      meadow(222, 4, ["#cbb765", "#a08f45"]),
      scatter(8, 14, { x: 20, y: 314, w: 220, h: 22 }, (x, y, random) =>
        circle(x, y, 8 + random() * 12, "#e6d6a8", { opacity: 0.4 }),
      ),
      horse(
        316,
        300,
        { scale: 1 },
        { coat: "#e9e2d6", dark: "#bfb5a4", mane: "#9c9183" },
        [-26, -18, 24, 34],
      ),
      horse(
        166,
        326,
        { scale: 1.25 },
        { coat: "#5f3b26", dark: "#442818", mane: "#1f1712" },
        [-30, -20, 26, 38],
      ),
    ],
  ),
  scene(
    "cows-hillside",
    "Black and white cows graze on a green hillside.",
    ["cow", "cattle", "hill", "grass"],
    () => [
      sky("noon"),
      cloud(80, 64, 1.1),
      cloud(300, 48, 1.3),
      hills(176, 20, "#a9d47f", 1.2),
      hills(206, 22, "#84c163", 3),
      cow(384, 214, { scale: 0.52 }, true),
      cow(300, 222, { scale: 0.48, flip: true }),
      meadow(244, 5),
      shadow(170, 326, 82),
      cow(160, 326, { scale: 1.3 }, true),
      flowers(2, 16, 290, ["#ffffff", "#f6e15a"]),
    ],
  ),
  scene(
    "sheep-flock",
    "A flock of woolly sheep stands in a meadow with a stone wall.",
    ["sheep", "flock", "meadow", "wool"],
    () => [
      sky("overcast"),
      hills(176, 18, "#8fae86", 0.4),
      hills(200, 14, "#7fa873", 2),
      rect(0, 214, 480, 28, "#8d8f8e"),
      scatter(3, 70, { x: -6, y: 214, w: 480, h: 20 }, (x, y, random) =>
        rect(
          x,
          y,
          16 + random() * 8,
          9,
          ["#7b7d7d", "#9da09f", "#6c6f6f"][Math.floor(random() * 3)] as string,
          { round: 3 },
        ),
      ),
      meadow(240, 7, ["#93c270", "#5b9a4b"]),
      sheep(90, 280, { scale: 0.8 }),
      sheep(360, 276, { scale: 0.75, flip: true }),
      sheep(220, 286, { scale: 0.85, flip: true }),
      shadow(150, 340, 46),
      sheep(140, 340, { scale: 1.2 }),
      shadow(330, 344, 46),
      sheep(320, 344, { scale: 1.25 }),
    ],
  ),
  scene(
    "pigs-mud",
    "Three pink pigs wallow in the mud outside their sty.",
    ["pig", "mud", "farmyard"],
    () => [
      sky("day"),
      hills(180, 10, "#93c270"),
      barn(380, 226, 1.1),
      fence(-6, 236, 330, "#c9a87a", 56),
      ground(228, "#b08a5c", "#8f6a42"),
      ellipse(230, 316, 210, 40, "#6b4a30"),
      ellipse(230, 312, 190, 30, "#7d583a"),
      pig(140, 316, { scale: 1.05 }),
      pig(330, 300, { scale: 0.85, flip: true }, "#f0b7b4"),
      pig(262, 340, { scale: 1.1 }, "#eda2a2"),
      scatter(4, 16, { x: 90, y: 300, w: 280, h: 44 }, (x, y, random) =>
        ellipse(x, y, 5 + random() * 7, 3, "#5b3d26", { opacity: 0.7 }),
      ),
    ],
  ),
  scene(
    "hen-chicks",
    "A mother hen leads her yellow chicks across the farmyard.",
    ["hen", "chicken", "chicks", "farm"],
    () => [
      sky("morning"),
      barn(96, 232, 1.2),
      hayBale(300, 232, 24),
      hayBale(346, 232, 20),
      ground(226, "#d9bd8a", "#b9935c"),
      scatter(11, 50, { x: 0, y: 240, w: 480, h: 116 }, (x, y, random) =>
        stroke(`M${x} ${y}l${6 + random() * 8} ${-2 + random() * 4}`, "#f0dca4", 1.6),
      ),
      shadow(338, 316, 40),
      hen(330, 316, { scale: 1.5 }),
      [60, 116, 172, 228].map((x, i) => [
        shadow(x + 2, 326 - (i % 2) * 6, 14),
        chick(x, 326 - (i % 2) * 6, { scale: 1.05 }),
      ]),
    ],
  ),
  scene(
    "rooster-dawn",
    "A rooster crows from a fence post at dawn.",
    ["rooster", "dawn", "fence", "morning"],
    () => [
      sky("morning"),
      sun(110, 214, 44, "#ffb35c"),
      hills(230, 14, "#c7a566", 1),
      barn(408, 262, 0.95),
      hills(266, 10, "#8aa653", 2),
      ground(286, "#7fa84d", "#5b8a3d"),
      rect(0, 270, 480, 10, "#8a6a48"),
      rect(0, 306, 480, 10, "#8a6a48"),
      repeat(4, (i) => rect(28 + i * 140, 244, 18, 116, "#9b7a55", { round: 3 })),
      rooster(186, 246, { scale: 1.55 }),
      stroke("M254 132q16 -6 30 -18M258 146q20 0 36 -6M256 160q16 6 30 16", "#7a4a2a", 3, { opacity: 0.7 }),
    ],
  ),
  scene(
    "ducks-pond",
    "A mallard and her ducklings paddle over a still pond.",
    ["duck", "ducklings", "pond", "water"],
    () => [
      sky("day"),
      hills(140, 12, "#7fb56a"),
      [leafyTree(60, 166, 1), leafyTree(400, 164, 1.1), bush(230, 164, 1.4)],
      sea(160, 5, ["#8fc7d8", "#3f8fa8"]),
      repeat(6, (i) => [
        stroke(
          `M${430 + i * 9} 360C${428 + i * 9} 320 ${424 + i * 10} 290 ${420 + i * 12} ${262 - (i % 3) * 14}`,
          "#4c8b3a",
          4,
        ),
        ellipse(420 + i * 12, 256 - (i % 3) * 14, 4, 14, "#7a5230"),
      ]),
      duck(290, 232, { scale: 1.5 }),
      duck(180, 256, { scale: 0.75 }, "duckling"),
      duck(118, 262, { scale: 0.75 }, "duckling"),
      duck(58, 268, { scale: 0.75 }, "duckling"),
      duck(196, 320, { scale: 1.1, flip: true }, "white"),
      ellipse(70, 330, 34, 9, "#4f9a5a"),
      circle(78, 324, 7, "#f7b7c9"),
    ],
  ),
  scene(
    "mountain-goat",
    "A mountain goat balances on a rocky ledge above the valley.",
    ["goat", "mountain", "cliff", "rock"],
    () => [
      sky("day"),
      mountain(90, 260, 300, 190, { rock: "#9aa7b8", shade: "#6d7a8e" }),
      mountain(360, 260, 340, 150, { rock: "#a9b4c2", shade: "#7f8c9f" }),
      hills(254, 16, "#7fa873", 2),
      ground(290, "#6a9a5b", "#4c7a45"),
      path("M200 360L216 300L250 268L286 250H430L480 234V360Z", "#7c7f86"),
      path("M286 250H430L480 234V252L420 268H300Z", "#a3a6ad"),
      stroke("M250 268L270 320M330 268L344 330M410 268L400 330", "#5f636a", 3, { opacity: 0.6 }),
      shadow(340, 252, 44, 5),
      goat(336, 252, { scale: 1.35, flip: true }),
      distantBirds(80, 80),
    ],
  ),
  scene(
    "tractor-ploughing",
    "A farmer drives a green tractor across a ploughed field.",
    ["tractor", "farmer", "field", "agriculture"],
    () => [
      sky("day"),
      cloud(380, 70, 1),
      sun(70, 66),
      hills(190, 14, "#93c270"),
      [leafyTree(420, 206, 0.9), leafyTree(380, 204, 0.7)],
      house(90, 212, { scale: 0.8 }),
      ground(206, "#9b6f45", "#6f4a2b"),
      repeat(12, (i) =>
        stroke(`M${240 + (i - 5.5) * 34} 208L${240 + (i - 5.5) * 118} 360`, "#5b3a20", 3, { opacity: 0.55 }),
      ),
      shadow(240, 318, 92),
      tractor(236, 318, { scale: 1.5 }),
      at(
        206,
        226,
        {},
        person(
          0,
          50,
          { scale: 0.85 },
          {
            ...POSES.sitting,
            legs: [limb(0, -44, 0, -44), limb(0, -44, 0, -44)],
          },
          { hairStyle: "sunhat", hat: "#e6c67a", shirt: "#d9534f", face: "right" },
        ),
      ),
      distantBirds(60, 190, "#e9eef2"),
    ],
  ),
  scene(
    "feeding-chickens",
    "A farmer in a straw hat scatters grain for her hens.",
    ["farmer", "hens", "feeding", "farmyard"],
    () => [
      sky("noon"),
      cloud(130, 60, 1),
      barn(384, 236, 1.3),
      hills(218, 8, "#93c270"),
      ground(230, "#cfae78", "#ab8450"),
      shadow(150, 322, 34),
      person(146, 322, { scale: 1.6 }, POSES.reaching, {
        hairStyle: "sunhat",
        hat: "#e6c67a",
        hair: "#7a4a24",
        shirt: "#5f9a8f",
        skirt: "#3f6a9a",
        skin: SKIN.tan,
        face: "right",
      }),
      scatter(6, 26, { x: 204, y: 262, w: 90, h: 70 }, (x, y) => ellipse(x, y, 2.2, 1.5, "#f3d067")),
      hen(290, 300, { scale: 0.95, flip: true }, "#f4efe4", "#cfc8bb"),
      hen(356, 322, { scale: 1.1, flip: true }),
      hen(252, 340, { scale: 1.1, flip: true }, "#3f3a3c", "#26242a"),
    ],
  ),
  scene(
    "farmhouse-lake",
    "A white farmhouse is mirrored in a lake at sunrise.",
    ["farmhouse", "lake", "reflection", "sunrise"],
    () => [
      rect(0, 0, 480, 360, downward("#f2b98a", "#fbe3c0")),
      sun(120, 150, 30, "#ffcf70"),
      hills(178, 20, "#b98f86", 1),
      hills(194, 12, "#8d7f78", 2.6),
      rect(0, 204, 480, 156, downward("#f1c79b", "#8fa5ad")),
      glitter(120, 208, 5),
      house(320, 208, { scale: 1.2 }, { wall: "#fdfaf2", roof: "#8a4b3c" }),
      at(
        320,
        210,
        { scale: [1.2, -0.9], opacity: 0.35 },
        house(0, 0, {}, { wall: "#fdfaf2", roof: "#8a4b3c" }),
      ),
      [leafyTree(420, 208, 0.9, ["#6b7a4a", "#7f8c57", "#98a56a"]), bush(250, 208, 0.8)],
      repeat(8, (i) =>
        stroke(`M${20 + i * 62} ${236 + (i % 4) * 28}h${40 + (i % 3) * 20}`, "#ffffff", 1.6, {
          opacity: 0.35,
        }),
      ),
    ],
  ),
];
