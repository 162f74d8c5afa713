import { pick, repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, glow, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { house } from "../parts/buildings.ts";
import { room, windowBars, windowFrame } from "../parts/furniture.ts";
import { flowers, glitter, ground, hills, meadow, mountain, sand, sea } from "../parts/grounds.ts";
import { smoke } from "../parts/other-vehicles.ts";
import {
  bush,
  cactus,
  grassTuft,
  leafLitter,
  leafyTree,
  mushroom,
  palm,
  pineWood,
  pottedPlant,
  sunflower,
} from "../parts/plants.ts";
import { cloud, distantBirds, sky, stars, sun } from "../parts/skies.ts";

export const nature: readonly Scene[] = [
  scene(
    "sunflower-field",
    "A field of sunflowers stretches towards the hills.",
    ["sunflowers", "field", "summer", "yellow"],
    () => [
      sky("noon"),
      cloud(110, 66, 1.1),
      cloud(370, 80, 1.3),
      hills(178, 16, "#8fb86a", 1),
      ground(196, "#7fae4a", "#4f8a35"),
      repeat(4, (r) =>
        repeat(20 - r * 3, (i) => sunflower((r % 2) * 12 + i * (25 + r * 8), 222 + r * 42, 0.34 + r * 0.26)),
      ),
    ],
  ),
  scene(
    "waterfall-jungle",
    "A waterfall plunges into a pool in the green jungle.",
    ["waterfall", "jungle", "water", "pool"],
    () => [
      rect(0, 0, 480, 360, downward("#a9d9c9", "#5f9a6f")),
      [
        leafyTree(60, 140, 1.8, ["#2f6b3f", "#3f7f4a", "#57964f"]),
        leafyTree(420, 140, 1.9, ["#2f6b3f", "#3f7f4a", "#57964f"]),
      ],
      path(
        "M-10 280V110C60 90 120 96 176 100L190 280ZM490 280V110C420 90 360 96 304 100L290 280Z",
        "#6f6a62",
      ),
      stroke("M40 110L60 270M110 104L120 274M370 104L362 274M440 112L424 270", "#57534c", 4, {
        opacity: 0.6,
      }),
      path(
        "M172 96C200 88 280 88 308 96C304 160 300 220 304 290H176C180 220 176 160 172 96Z",
        downward("#f4fbfd", "#bfe3ee"),
      ),
      repeat(9, (i) =>
        stroke(
          `M${186 + i * 13} 98C${184 + i * 13.5} 160 ${186 + i * 13} 220 ${182 + i * 14} 284`,
          "#9ccfe0",
          2.4,
          { opacity: 0.7 },
        ),
      ),
      path("M0 360V290Q240 262 480 290V360Z", downward("#6fc2c4", "#2f8a94")),
      scatter(4, 40, { x: 160, y: 270, w: 160, h: 26 }, (x, y, random) =>
        circle(x, y, 6 + random() * 12, "#ffffff", { opacity: 0.55 }),
      ),
      [
        bush(40, 310, 1.5, ["#2f7f4a", "#46a05c"]),
        bush(440, 312, 1.6, ["#2f7f4a", "#46a05c"]),
        palm(110, 300, 1.2, -18),
        palm(396, 300, 1.2, 20),
      ],
      repeat(6, (i) =>
        stroke(`M${90 + i * 60} ${320 + (i % 3) * 12}q16 -6 32 0`, "#ffffff", 2, { opacity: 0.5 }),
      ),
    ],
  ),
  scene(
    "mountain-lake",
    "Snow-capped mountains are reflected in a clear lake.",
    ["mountains", "lake", "reflection", "snow"],
    () => {
      const range = [
        mountain(110, 206, 300, 140, { rock: "#7f92ad", shade: "#5f7390" }),
        mountain(350, 206, 340, 170, { rock: "#8b9db7", shade: "#687c99" }),
        mountain(230, 206, 200, 96, { rock: "#73869f", shade: "#566a86" }),
      ];
      return [
        sky("day"),
        cloud(200, 50, 1),
        range,
        pineWood(9, 208, ["#2f6b4f", "#3a7a5b", "#27583f"], 0.5),
        rect(0, 206, 480, 154, downward("#9fcbe2", "#3f7fa8")),
        at(0, 412, { scale: [1, -1], opacity: 0.35 }, range),
        repeat(12, (i) =>
          stroke(`M${(i * 97) % 440} ${222 + ((i * 31) % 110)}h${40 + (i % 4) * 14}`, "#ffffff", 1.6, {
            opacity: 0.45,
          }),
        ),
        path("M0 360V330Q120 312 200 344L210 360Z", "#4f8a45"),
        repeat(7, (i) => grassTuft(14 + i * 26, 350 - (i % 2) * 8, 0.9, "#3f7a3a")),
      ];
    },
  ),
  scene(
    "volcano-eruption",
    "A volcano erupts and red lava flows down its side.",
    ["volcano", "lava", "eruption", "smoke"],
    () => [
      rect(0, 0, 480, 360, downward("#2b1f33", "#6b2f3a", "#d9623f")),
      scatter(3, 26, { x: 150, y: 0, w: 180, h: 90 }, (x, y, random) =>
        circle(x, y, 20 + random() * 26, pick(["#3a2f3f", "#4a3a48", "#2f2634"], random), { opacity: 0.85 }),
      ),
      circle(240, 120, 110, glow("#ff8a3f", 0.7)),
      path("M20 330L180 130Q240 112 300 130L460 330Z", downward("#4a3a42", "#2b2430")),
      path("M180 130Q240 112 300 130Q240 152 180 130Z", "#ff9d3f"),
      path(
        "M226 134C220 180 196 210 206 260C212 300 190 310 180 330H230C236 300 230 280 236 250C242 220 250 180 252 136Z",
        downward("#ffd65c", "#e5402f"),
      ),
      path(
        "M270 134C280 170 300 190 306 230C316 270 340 290 344 330H376C370 290 340 260 330 226C322 190 296 170 288 132Z",
        downward("#ffb347", "#d9342a"),
      ),
      scatter(8, 30, { x: 160, y: 10, w: 160, h: 110 }, (x, y, random) =>
        circle(x, y, 2 + random() * 4, pick(["#ffd65c", "#ff8a3f", "#f2542e"], random)),
      ),
      ground(326, "#1f1a24", "#141118"),
      repeat(6, (i) => stroke(`M${180 + i * 34} 346h24`, "#f2762e", 3, { opacity: 0.7 })),
    ],
  ),
  scene(
    "mushroom-forest",
    "Red toadstools grow on the mossy forest floor.",
    ["mushrooms", "toadstool", "forest", "moss"],
    () => [
      rect(0, 0, 480, 360, downward("#3a5f4a", "#7fa36f")),
      repeat(6, (i) =>
        rect(10 + i * 90, 0, 34 + (i % 3) * 8, 280, ["#4a3a2c", "#55432f", "#3f3226"][i % 3] as string),
      ),
      repeat(4, (i) =>
        polygon(
          `${60 + i * 110},0 ${100 + i * 110},0 ${40 + i * 120},290 ${-30 + i * 115},290`,
          fade("#f6f3c9", 0.28, 0),
        ),
      ),
      hills(266, 10, "#5f9a4b", 1),
      ground(280, "#4f8a3f", "#33652f"),
      mushroom(230, 336, 2),
      mushroom(330, 344, 1.4),
      mushroom(140, 346, 1.1, "#e0632f"),
      mushroom(390, 350, 0.8),
      mushroom(90, 350, 0.6, "#e0632f"),
      repeat(10, (i) => grassTuft(16 + i * 50, 354 - (i % 3) * 8, 1, "#7fbf5a")),
      leafLitter(6, 18, { x: 0, y: 320, w: 480, h: 36 }),
    ],
  ),
  scene(
    "potted-plants",
    "Three potted plants catch the light on a white windowsill.",
    ["plants", "pots", "window", "green"],
    () => [
      room(downward("#f4efe6", "#e9dfcf"), "#c9a97f", 330),
      windowFrame(70, 20, 340, 230, downward("#8fcdf3", "#e3f5fc")),
      [leafyTree(150, 250, 1.1), bush(300, 252, 1.6), cloud(320, 80, 0.9)],
      windowBars(70, 20, 340, 230),
      rect(40, 254, 400, 18, "#ffffff", { round: 4 }),
      rect(48, 272, 384, 10, "#d9cfbd"),
      pottedPlant(130, 256, 1.3, "leaves"),
      pottedPlant(244, 256, 1.4, "snake", "#4f86a8"),
      pottedPlant(352, 256, 1.3, "fern", "#e2a23b"),
    ],
  ),
  scene(
    "vegetable-garden",
    "Carrots, cabbages and pumpkins grow in neat garden rows.",
    ["vegetables", "garden", "carrots", "pumpkin", "growing"],
    () => [
      sky("day"),
      cloud(350, 66, 1),
      hills(180, 12, "#93c270"),
      house(90, 212, { scale: 1 }),
      leafyTree(430, 214, 1.1),
      ground(204, "#8cc263", "#5fa048"),
      repeat(3, (r) =>
        path(
          `M-10 ${258 + r * 42}Q240 ${246 + r * 42} 490 ${258 + r * 42}V${282 + r * 42}Q240 ${270 + r * 42} -10 ${282 + r * 42}Z`,
          "#7a5233",
        ),
      ),
      repeat(11, (i) =>
        at(
          24 + i * 44,
          268,
          { scale: 0.9 },
          path("M-7 -4H7L0 16Z", "#f2862e"),
          stroke("M0 -4C-6 -14 -10 -20 -12 -26M0 -4V-30M0 -4C6 -14 10 -20 12 -26", "#4c9a3f", 3),
        ),
      ),
      repeat(9, (i) => [
        circle(34 + i * 52, 298, 17, "#7fbf5a"),
        circle(28 + i * 52, 296, 11, "#9ad070"),
        circle(40 + i * 52, 297, 10, "#b5e08a"),
        circle(34 + i * 52, 300, 7, "#d3f0a8"),
      ]),
      repeat(7, (i) => [
        ellipse(44 + i * 66, 342, 27, 19, "#e5762a"),
        ellipse(44 + i * 66, 342, 15, 19, "#f28f3f"),
        ellipse(44 + i * 66, 342, 5, 19, "#e5762a"),
        stroke(`M${44 + i * 66} 324q2 -8 8 -10`, "#4c8b3a", 4),
      ]),
    ],
  ),
  scene(
    "desert-cactus-night",
    "Tall cactuses stand in the desert under a starry sky.",
    ["cactus", "desert", "night", "stars"],
    () => [
      rect(0, 0, 480, 360, downward("#141a44", "#4a3f7a", "#c97a7a")),
      stars(8, 120, 240),
      circle(380, 90, 26, "#f4efd5"),
      [
        polygon("20,260 60,190 140,184 170,260", "#5b3a5f"),
        polygon("300,260 340,200 430,196 470,260", "#4f3358"),
      ],
      sand(254, 4, ["#a3708a", "#6b4a6b"]),
      [cactus(120, 330, 1.7), cactus(330, 320, 1.3), cactus(230, 290, 0.7), cactus(430, 340, 1)],
      [ellipse(60, 346, 18, 7, "#573a57"), ellipse(270, 350, 24, 8, "#573a57")],
    ],
  ),
  scene(
    "spring-meadow",
    "Wild flowers of every colour bloom in a spring meadow.",
    ["wild flowers", "meadow", "spring", "colourful"],
    () => [
      sky("morning"),
      sun(390, 70, 28),
      hills(170, 18, "#a9d47f", 0.6),
      leafyTree(90, 204, 1.4),
      meadow(190, 11),
      flowers(3, 200, 200, ["#e5484d", "#f27aa0", "#ffffff", "#b787e0", "#f6c23e", "#5f8fe0", "#f2762e"]),
    ],
  ),
  scene(
    "bamboo-grove",
    "A narrow path leads through a tall bamboo grove.",
    ["bamboo", "path", "grove", "green"],
    () => [
      rect(0, 0, 480, 360, downward("#dff0c4", "#a9d08a")),
      repeat(22, (i) =>
        rect(6 + i * 22, -10, 8, 300, ["#a9c97a", "#98bd6c"][i % 2] as string, { opacity: 0.7 }),
      ),
      polygon("222,230 258,230 360,360 110,360", "#d9c7a0"),
      [20, 70, 128, 180, 300, 352, 404, 456].map((x, i) => [
        rect(
          x - 9,
          -10,
          19,
          350 - Math.abs(240 - x) * 0.1,
          ["#5f9a45", "#6fae50", "#528a3d"][i % 3] as string,
        ),
        repeat(8, (j) => rect(x - 10, 20 + j * 44 + (i % 3) * 12, 21, 4, "#3f6f30", { round: 2 })),
        rect(x - 5, -10, 4, 330, "#ffffff", { opacity: 0.22 }),
      ]),
      scatter(5, 46, { x: -10, y: 0, w: 500, h: 150 }, (x, y, random) =>
        at(
          x,
          y,
          { rotate: random() * 70 - 35 },
          path("M0 0C14 -6 30 -4 42 6C28 8 12 8 0 0Z", pick(["#6fae50", "#528a3d", "#8cc263"], random)),
        ),
      ),
      repeat(9, (i) => grassTuft(12 + i * 58, 356, 1.1, "#4f8a3a")),
    ],
  ),
  scene(
    "ocean-cliffs",
    "Waves crash against white cliffs below a grassy headland.",
    ["cliffs", "coast", "waves", "sea"],
    () => [
      sky("day"),
      cloud(90, 70, 1.1),
      distantBirds(250, 90),
      sea(196, 6),
      path("M480 96C420 92 360 100 310 108L296 160L304 230L280 300H490V96Z", downward("#fbf8ef", "#d9d2c0")),
      stroke(
        "M340 112L332 280M384 104L380 290M430 100L430 300M310 170L480 160M306 230L480 226",
        "#c3bba6",
        2.4,
        { opacity: 0.7 },
      ),
      path("M490 84C420 80 356 90 300 104C340 116 420 108 490 108Z", "#6fae50"),
      path("M200 330C240 300 300 290 490 292V370H180Z", "#e3ddd0"),
      scatter(7, 50, { x: 190, y: 284, w: 200, h: 30 }, (x, y, random) =>
        circle(x, y, 5 + random() * 11, "#ffffff", { opacity: 0.7 }),
      ),
      glitter(90, 204, 6, "#ffffff"),
      path("M-10 360V330Q80 316 170 340T330 348L340 370H-10Z", "#2f86b8", { opacity: 0.8 }),
    ],
  ),
  scene(
    "geyser-steam",
    "Hot water shoots out of a geyser in a cloud of steam.",
    ["geyser", "steam", "hot spring", "iceland"],
    () => [
      sky("day"),
      mountain(110, 230, 260, 80, { rock: "#8b93a3", shade: "#6b7485" }),
      mountain(380, 230, 300, 100, { rock: "#97a0b0", shade: "#757f90" }),
      ground(224, "#c9a97a", "#9c7a52"),
      [
        ellipse(240, 312, 150, 30, "#e5b35c"),
        ellipse(240, 310, 120, 23, "#6fc2c4"),
        ellipse(240, 308, 92, 16, "#3f9fb0"),
        ellipse(240, 308, 30, 6, "#1f6f80"),
      ],
      path(
        "M226 308C230 220 220 140 214 70C230 40 256 40 268 70C260 140 250 220 254 308Z",
        downward("#ffffff", "#cfeaf4"),
      ),
      smoke(240, 96, "#ffffff", 0.75),
      scatter(2, 40, { x: 180, y: 20, w: 130, h: 110 }, (x, y, random) =>
        circle(x, y, 6 + random() * 16, "#ffffff", { opacity: 0.6 }),
      ),
      scatter(9, 34, { x: 150, y: 160, w: 180, h: 140 }, (x, y) =>
        circle(x, y, 2, "#dff2f8", { opacity: 0.8 }),
      ),
      repeat(8, (i) => ellipse(30 + i * 62, 346 - (i % 3) * 14, 14, 5, "#7a5f42")),
    ],
  ),
];
