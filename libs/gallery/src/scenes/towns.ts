import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke } from "../drawing/svg.ts";
import {
  bench,
  bridge,
  fence,
  ferrisWheel,
  lampPost,
  marketStall,
  skyline,
  townhouses,
} from "../parts/buildings.ts";
import { apple, orange } from "../parts/foods.ts";

import { chair, table } from "../parts/furniture.ts";
import { glitter, ground, hills, sea, shadow } from "../parts/grounds.ts";
import { rowingBoat, sailboat } from "../parts/other-vehicles.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES } from "../parts/poses.ts";
import { bush, leafyTree, pottedPlant } from "../parts/plants.ts";
import { cloud, crescent, distantBirds, sky, stars } from "../parts/skies.ts";

export const towns: readonly Scene[] = [
  scene(
    "city-night",
    "The lights of a big city glow at night across the river.",
    ["city", "skyline", "night", "river"],
    () => [
      sky("night"),
      stars(9, 50, 120),
      crescent(80, 60, 18),
      skyline(31, 240, ["#2a3566", "#34407a", "#222c57"], "#ffd978", 190),
      skyline(17, 246, ["#161e42", "#1c2650"], "#ffe6a8", 120),
      rect(0, 244, 480, 116, downward("#1d2a5a", "#0d1533")),
      scatter(6, 60, { x: 0, y: 252, w: 480, h: 100 }, (x, y, random) =>
        rect(x, y, 3, 8 + random() * 18, "#ffd978", { opacity: 0.25 + random() * 0.3, round: 1.5 }),
      ),
      repeat(8, (i) => stroke(`M${i * 62} ${280 + (i % 4) * 18}h44`, "#5b6fb0", 1.6, { opacity: 0.6 })),
    ],
  ),
  scene(
    "market-stalls",
    "Shoppers buy fruit and vegetables at an outdoor market.",
    ["market", "fruit", "vegetables", "shopping", "people"],
    () => [
      sky("morning"),
      townhouses(140, 230, 0.95),
      townhouses(430, 230, 0.95),
      rect(0, 228, 480, 132, downward("#cfc3b0", "#b0a38f")),
      marketStall(
        120,
        318,
        { scale: 1.45 },
        ["#e5484d", "#ffffff"],
        [
          repeat(7, (i) => apple(-44 + i * 14.5, -40, { scale: 0.36 })),
          repeat(6, (i) => orange(-36 + i * 14, -60, 7)),
        ],
      ),
      marketStall(
        348,
        318,
        { scale: 1.45 },
        ["#5fa46a", "#ffffff"],
        [
          repeat(6, (i) =>
            path(
              `M${-46 + i * 17} -42C${-50 + i * 17} -58 ${-36 + i * 17} -58 ${-38 + i * 17} -42Z`,
              i % 2 ? "#7b3f8a" : "#c9302c",
            ),
          ),
          repeat(6, (i) => circle(-42 + i * 17, -58, 8, "#7cbc5a")),
        ],
      ),
      [
        shadow(226, 340, 26),
        person(226, 340, { scale: 1.15 }, POSES.reaching, {
          shirt: "#4f86a8",
          trousers: "#39465a",
          face: "right",
          hairStyle: "long",
          hair: "#5a3420",
        }),
      ],
      [
        shadow(440, 346, 26),
        person(440, 346, { scale: 1.15, flip: true }, POSES.reaching, {
          shirt: "#e2a23b",
          trousers: "#4b3a33",
          face: "right",
          hairStyle: "cap",
          hat: "#5b6b4a",
          skin: SKIN.brown,
        }),
      ],
    ],
  ),
  scene(
    "street-cafe",
    "Tables and chairs stand outside a café under a striped awning.",
    ["café", "street", "tables", "awning"],
    () => [
      rect(0, 0, 480, 280, "#e3b98a"),
      repeat(4, (i) => [
        rect(30 + i * 116, 10, 70, 60, "#cfe6f2", { stroke: "#ffffff", width: 5 }),
        rect(18 + i * 116, 8, 14, 64, "#4f7f6b"),
        rect(98 + i * 116, 8, 14, 64, "#4f7f6b"),
      ]),
      rect(40, 130, 280, 152, "#6b3f2a"),
      rect(52, 142, 180, 130, downward("#ffe6b0", "#f2c27a")),
      [
        stroke("M112 142V272M172 142V272", "#6b3f2a", 5),
        rect(246, 142, 62, 140, "#8a5236"),
        rect(256, 152, 42, 76, "#ffe6b0"),
        circle(252, 222, 3, "#c9a13c"),
      ],
      repeat(11, (i) =>
        path(
          `M${30 + i * 28} 100H${58 + i * 28}V136Q${44 + i * 28} 152 ${30 + i * 28} 136Z`,
          i % 2 ? "#ffffff" : "#c9403f",
        ),
      ),
      rect(0, 280, 480, 80, downward("#b9b0a3", "#98907f")),
      [table(120, 338, 90, 58, "#4f3a2c"), table(356, 344, 96, 60, "#4f3a2c")],
      [
        chair(60, 340, { scale: 1 }, "#2f7550"),
        chair(182, 340, { scale: 1, flip: true }, "#2f7550"),
        chair(420, 346, { scale: 1.05, flip: true }, "#2f7550"),
      ],
      person(290, 348, { scale: 1.2 }, POSES.sitting, {
        shirt: "#7b5aa8",
        hairStyle: "bun",
        hair: "#3a2a20",
        face: "right",
      }),
      [rect(106, 268, 11, 11, "#ffffff", { round: 2 }), rect(346, 272, 11, 11, "#ffffff", { round: 2 })],
      pottedPlant(446, 320, 1.3, "leaves", "#4f6a8f"),
      [rect(350, 150, 100, 110, "#cfe6f2", { stroke: "#ffffff", width: 6 }), flowerBox()],
    ],
  ),
  scene(
    "fairground",
    "A big Ferris wheel turns above a fairground in the evening.",
    ["ferris wheel", "fairground", "evening", "lights", "fun"],
    () => [
      sky("dusk"),
      stars(4, 40, 120),
      hills(280, 8, "#3a3560", 1),
      ferrisWheel(230, 300, { scale: 1.45 }),
      [
        polygon("20,250 70,200 120,250", "#e5484d"),
        polygon("45,250 70,200 95,250", "#f4efe4"),
        rect(26, 250, 88, 56, "#f4efe4"),
        repeat(3, (i) => rect(26 + i * 32, 250, 16, 56, "#e5484d")),
      ],
      [
        polygon("370,256 415,206 460,256", "#3f87d8"),
        polygon("392,256 415,206 438,256", "#f7e24a"),
        rect(376, 256, 78, 50, "#f7e24a"),
        repeat(3, (i) => rect(376 + i * 29, 256, 14, 50, "#3f87d8")),
      ],
      ground(302, "#4f4a6b", "#35314f"),
      repeat(20, (i) =>
        circle(
          12 + i * 25,
          190 + Math.sin(i * 0.9) * 8 + 60,
          3,
          ["#ffdf9a", "#f27aa0", "#8fd0ff"][i % 3] as string,
        ),
      ),
      [80, 150, 330, 400].map((x, i) =>
        person(x, 346, { scale: 0.75, flip: i % 2 === 1 }, i % 2 ? POSES.walking : POSES.waving, {
          shirt: ["#f2762e", "#5fc2b0", "#b06bd0", "#f2c230"][i] as string,
          skin: [SKIN.fair, SKIN.brown, SKIN.tan, SKIN.deep][i] as string,
        }),
      ),
    ],
  ),
  scene(
    "canal-houses",
    "Narrow old houses stand along a canal with a moored boat.",
    ["canal", "houses", "boat", "old town"],
    () => [
      sky("day"),
      cloud(90, 56, 1),
      townhouses(130, 226, 1.2),
      townhouses(490, 226, 1.2),
      rect(0, 224, 480, 24, "#a59a8c"),
      rect(0, 246, 480, 114, downward("#6f9aa8", "#3f6b7d")),
      at(130, 250, { scale: [1.2, -0.7], opacity: 0.28 }, townhouses(0, 0, 1)),
      at(490, 250, { scale: [1.2, -0.7], opacity: 0.28 }, townhouses(0, 0, 1)),
      glitter(240, 256, 4, "#ffffff"),
      rowingBoat(170, 320, { scale: 1.3 }, "#2f7550"),
      [lampPost(60, 234, { scale: 0.8 }), lampPost(400, 234, { scale: 0.8 })],
      bush(250, 230, 0.7),
    ],
  ),
  scene(
    "park-bench-lamp",
    "An empty bench stands beneath a street lamp in a quiet park.",
    ["bench", "street lamp", "park", "evening", "quiet"],
    () => [
      rect(0, 0, 480, 360, downward("#27365f", "#5b5f8f", "#9a86a4")),
      stars(5, 30, 90),
      [
        leafyTree(70, 250, 1.7, ["#22403f", "#2c504c", "#386058"]),
        leafyTree(410, 250, 1.9, ["#22403f", "#2c504c", "#386058"]),
      ],
      fence(-6, 262, 500, "#2f3550", 44),
      ground(260, "#3f5f55", "#2c463f"),
      path("M0 360C120 316 340 316 480 360Z", "#8f8a9a"),
      lampPost(320, 320, { scale: 1.9 }, true),
      ellipse(300, 328, 130, 18, "#ffe39a", { opacity: 0.28 }),
      shadow(190, 326, 80, 8, 0.35),
      bench(190, 324, { scale: 1.5 }),
    ],
  ),
  scene(
    "suspension-bridge",
    "A red suspension bridge spans the bay in the morning mist.",
    ["bridge", "bay", "mist", "red"],
    () => [
      rect(0, 0, 480, 360, downward("#8fb3cf", "#f4dfc9")),
      hills(206, 26, "#7f94a6", 2.2),
      sea(226, 6, ["#8fb5c6", "#4a7f9c"]),
      bridge(240, 250, { scale: 1.15 }),
      rect(0, 214, 480, 60, "#f4ece2", { opacity: 0.4 }),
      sailboat(110, 312, { scale: 0.45 }),
      distantBirds(330, 70),
    ],
  ),
];

function flowerBox() {
  return [
    rect(346, 254, 108, 14, "#8a5a34"),
    repeat(9, (i) => circle(354 + i * 12, 250 - (i % 2) * 5, 7, i % 2 ? "#e5484d" : "#f27aa0")),
    repeat(9, (i) => circle(360 + i * 11, 256, 4, "#5fa446")),
  ];
}
