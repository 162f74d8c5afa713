import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke } from "../drawing/svg.ts";
import {
  bee,
  butterfly,
  deer,
  fox,
  frog,
  hedgehog,
  owl,
  songbird,
  squirrel,
} from "../parts/forest-animals.ts";
import { ground, hills, meadow, sea, shadow, snowfield } from "../parts/grounds.ts";
import { autumnTree, bareTree, bush, leafLitter, mushroom, pineWood, sunflower } from "../parts/plants.ts";

import { cloud, crescent, sky, snowfall, stars } from "../parts/skies.ts";

export const woodland: readonly Scene[] = [
  scene(
    "owl-night",
    "An owl with big yellow eyes sits on a branch at night.",
    ["owl", "night", "bird", "forest"],
    () => [
      sky("deepNight"),
      stars(8, 70),
      crescent(90, 80, 34),
      pineWood(5, 340, ["#0d1a2b", "#12233a"], 1.4),
      path("M480 190C400 214 280 244 60 250C200 262 380 262 480 240Z", "#4a3526"),
      stroke("M150 250C120 236 96 232 70 214M350 240C370 214 400 200 420 176", "#4a3526", 8),
      owl(262, 242, { scale: 1.75 }),
      [
        ellipse(74, 210, 14, 7, "#3f6b4a", { rotate: -30 }),
        ellipse(424, 170, 16, 8, "#3f6b4a", { rotate: -40 }),
        ellipse(100, 226, 12, 6, "#4f7f57", { rotate: 20 }),
      ],
    ],
  ),
  scene(
    "fox-snow",
    "A red fox trots through fresh snow between bare trees.",
    ["fox", "snow", "winter", "forest"],
    () => [
      sky("snow"),
      pineWood(7, 210, ["#7f97a6", "#94a9b6", "#6c8595"], 0.8, true),
      snowfield(206),
      [bareTree(70, 270, 1.7, "#6b5a52"), bareTree(420, 262, 1.5, "#75645b")],
      scatter(3, 7, { x: 30, y: 318, w: 120, h: 16 }, (x, y) => ellipse(x, y, 4, 2, "#b3c6d6")),
      shadow(256, 318, 78, 8, 0.16),
      fox(250, 318, { scale: 1.6 }),
      snowfall(2, 80),
    ],
  ),
  scene(
    "deer-forest",
    "A deer with antlers stands in a misty forest clearing.",
    ["deer", "stag", "forest", "mist"],
    () => [
      rect(0, 0, 480, 360, downward("#b9cdc0", "#e3e9dc")),
      pineWood(2, 190, ["#9db8a6", "#8fae9b"], 1.3),
      rect(0, 120, 480, 110, "#e9efe4", { opacity: 0.5 }),
      pineWood(6, 226, ["#5f8a70", "#4f7a61"], 1.4),
      meadow(232, 9, ["#87a86b", "#4f7a45"]),
      shadow(240, 324, 60),
      deer(232, 324, { scale: 1.35 }),
      rect(0, 210, 480, 60, "#f3f6ee", { opacity: 0.35 }),
      [bush(40, 344, 1.4), bush(444, 350, 1.5)],
    ],
  ),
  scene(
    "squirrel-nut",
    "A red squirrel holds an acorn beside a tree stump.",
    ["squirrel", "acorn", "autumn", "forest"],
    () => [
      rect(0, 0, 480, 360, downward("#f6d9a8", "#fbeed2")),
      [autumnTree(60, 240, 1.6), autumnTree(410, 236, 1.7), autumnTree(300, 226, 1)],
      ground(226, "#b58a4a", "#8f6433"),
      leafLitter(3, 70, { x: 0, y: 236, w: 480, h: 120 }),
      path("M300 330C306 290 308 270 306 240H404C402 270 406 300 416 330Q358 346 300 330Z", "#7a5233"),
      ellipse(355, 240, 49, 13, "#d9b27c"),
      [
        ellipse(355, 240, 32, 8, "none", { stroke: "#a97c48", width: 2 }),
        ellipse(355, 240, 15, 4, "none", { stroke: "#a97c48", width: 2 }),
      ],
      shadow(190, 324, 56),
      squirrel(190, 324, { scale: 1.9 }),
    ],
  ),
  scene(
    "hedgehog-leaves",
    "A hedgehog snuffles through the autumn leaves near red toadstools.",
    ["hedgehog", "leaves", "autumn", "mushroom"],
    () => [
      rect(0, 0, 480, 360, downward("#5f4a3a", "#8a6a48")),
      [autumnTree(70, 200, 1.7), autumnTree(250, 190, 1.4), autumnTree(420, 200, 1.8)],
      ground(190, "#8f6433", "#6b4826"),
      leafLitter(12, 90, { x: 0, y: 200, w: 480, h: 150 }),
      [mushroom(390, 308, 1), mushroom(430, 322, 0.7), mushroom(352, 316, 0.5)],
      shadow(190, 322, 74),
      hedgehog(186, 322, { scale: 1.9 }),
      leafLitter(30, 24, { x: 0, y: 326, w: 480, h: 32 }),
    ],
  ),
  scene(
    "frog-lily",
    "A green frog sits on a lily pad in a pond.",
    ["frog", "pond", "lily pad", "amphibian"],
    () => [
      sea(0, 9, ["#7fb9a8", "#2f6f78"]),
      repeat(5, (i) => [
        ellipse(60 + i * 96, 60 + ((i * 53) % 80), 40, 12, "#4f9a5a"),
        ellipse(60 + i * 96, 57 + ((i * 53) % 80), 40, 12, "#63b06a"),
      ]),
      repeat(7, (i) =>
        stroke(
          `M${440 + i * 8} 360C${436 + i * 8} 280 ${430 + i * 10} 200 ${420 + i * 12} ${110 - (i % 3) * 20}`,
          "#3c7c46",
          4,
        ),
      ),
      ellipse(230, 292, 170, 46, "#2a5f52", { opacity: 0.5 }),
      path(
        "M60 276C60 244 150 232 230 232C310 232 400 244 400 276C400 306 310 322 230 322C150 322 60 306 60 276Z",
        "#5aa85f",
      ),
      polygon("230,276 420,300 400,316", "#3f8f86"),
      stroke("M230 276L80 266M230 276L150 310M230 276L230 318M230 276L300 236M230 276L150 240", "#3f8a48", 2),
      frog(216, 284, { scale: 2 }),
      [0, 1, 2, 3, 4, 5, 6].map((i) =>
        ellipse(110 + (i - 3) * 7, 250 - Math.abs(3 - i) * -3, 7, 20, i % 2 ? "#f7b7c9" : "#fbd9e2", {
          rotate: (i - 3) * 20,
        }),
      ),
      circle(110, 258, 6, "#f6c23e"),
    ],
  ),
  scene(
    "butterfly-flower",
    "An orange butterfly lands on a purple flower.",
    ["butterfly", "flower", "insect", "summer"],
    () => [
      rect(0, 0, 480, 360, downward("#bfe3c9", "#7fbf86")),
      scatter(5, 24, { x: 0, y: 0, w: 480, h: 360 }, (x, y, random) =>
        circle(x, y, 14 + random() * 30, "#e9f6d9", { opacity: 0.22 }),
      ),
      stroke("M250 360C244 310 236 280 240 230", "#3c7c36", 9),
      [
        path("M244 320C200 290 170 300 150 330C190 344 220 340 244 320Z", "#4f9a45"),
        path("M242 300C280 270 310 276 332 300C300 318 270 318 242 300Z", "#5da653"),
      ],
      repeat(14, (i) =>
        at(240, 222, { rotate: i * (360 / 14) }, ellipse(0, -50, 15, 38, i % 2 ? "#8a5fc9" : "#a17bdb")),
      ),
      circle(240, 222, 26, "#f2b92e"),
      scatter(3, 26, { x: 222, y: 204, w: 36, h: 36 }, (x, y) => circle(x, y, 2.2, "#c98a1c")),
      butterfly(252, 168, { scale: 1.9, rotate: 12 }),
    ],
  ),
  scene(
    "bees-sunflower",
    "Honeybees buzz around a tall sunflower.",
    ["bee", "sunflower", "pollen", "insect"],
    () => [
      sky("noon"),
      cloud(390, 60, 1),
      hills(270, 10, "#93c270"),
      meadow(280, 6),
      sunflower(70, 330, 1.6),
      sunflower(416, 326, 1.5),
      sunflower(240, 360, 2.9),
      bee(136, 106, { scale: 1.1, rotate: 14 }),
      bee(352, 92, { scale: 1.2, flip: true }),
      bee(338, 210, { scale: 0.9, flip: true, rotate: -10 }),
      stroke("M60 60q20 30 40 10t24 26M400 140q-20 14 -10 30t-22 22", "#5b4a2a", 1.6, { dash: "2 7" }),
    ],
  ),
  scene(
    "songbird-branch",
    "A small blue bird with an orange breast sings on a blossoming twig.",
    ["bird", "blossom", "spring", "song"],
    () => [
      rect(0, 0, 480, 360, downward("#cde8f6", "#f6ecef")),
      stroke(
        "M-10 300C120 280 220 262 330 240C400 226 440 200 490 160M330 240C350 200 380 190 400 150M120 280C110 250 96 236 70 220",
        "#6b4a34",
        9,
      ),
      scatter(4, 34, { x: 40, y: 150, w: 400, h: 140 }, (x, y, random) => {
        if (Math.abs(y - (300 - x * 0.18)) > 44) return [];
        const s = 4 + random() * 3;
        return [
          repeat(5, (i) => circle(x + Math.cos(i * 1.257) * s, y + Math.sin(i * 1.257) * s, s, "#f9c6d5")),
          circle(x, y, s * 0.6, "#e5799a"),
        ];
      }),
      songbird(200, 264, { scale: 2.3 }),
      stroke("M292 150q12 -4 20 -14M298 166q14 0 26 -6", "#7a5a5f", 2.4),
    ],
  ),
];
