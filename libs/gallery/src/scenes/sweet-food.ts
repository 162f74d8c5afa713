import { pick, repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke, type Drawing } from "../drawing/svg.ts";
import {
  apple,
  banana,
  croissant,
  doughnut,
  grapes,
  orange,
  sundaeCone,
  watermelonSlice,
} from "../parts/foods.ts";
import { bowl, plate, tableTop } from "../parts/tableware.ts";
import { mug, room, windowBars, windowFrame } from "../parts/furniture.ts";
import { meadow, sea, sand, shadow } from "../parts/grounds.ts";
import { palm } from "../parts/plants.ts";
import { cloud, sky, sun } from "../parts/skies.ts";

function leaf(x: number, y: number, rotate: number, scale: number, colour: string): Drawing {
  return at(
    x,
    y,
    { rotate, scale },
    path("M0 -20C14 -12 14 10 0 20C-14 10 -14 -12 0 -20Z", colour),
    stroke("M0 -15V15", "#ffffff", 1.4, { opacity: 0.4 }),
  );
}

export const sweetFood: readonly Scene[] = [
  scene(
    "pancakes",
    "A tall stack of pancakes is topped with butter, berries and syrup.",
    ["pancakes", "syrup", "breakfast", "sweet"],
    () => [
      room(downward("#f9e6d3", "#f4d3b4"), "#b9784f", 240, false),
      windowFrame(40, 30, 120, 120, downward("#8fcdf3", "#fdf6e3")),
      windowBars(40, 30, 120, 120),
      ellipse(240, 316, 170, 26, "#10202c", { opacity: 0.2 }),
      ellipse(240, 306, 180, 30, "#ffffff"),
      ellipse(240, 302, 160, 22, "#e9eef2"),
      repeat(6, (i) => [
        rect(136 + (i % 2) * 6, 270 - i * 25, 204, 26, "#c98a45", { round: 13 }),
        rect(136 + (i % 2) * 6, 270 - i * 25, 204, 14, "#e8b568", { round: 8 }),
      ]),
      ellipse(240, 148, 100, 15, "#dca35a"),
      path(
        "M150 146C170 130 310 130 330 146C336 160 330 190 326 210C320 224 312 214 314 196C314 180 304 178 300 190C296 220 292 262 282 262C272 262 276 220 270 196C264 180 250 184 248 196C246 214 236 214 232 198C226 176 210 178 206 196C202 226 196 240 188 236C180 230 184 200 178 186C168 176 150 166 150 146Z",
        "#a9551c",
        { opacity: 0.88 },
      ),
      polygon("214,136 262,126 276,142 228,152", "#fbe58a"),
      polygon("228,152 276,142 276,150 228,161", "#ecc85a"),
      [
        circle(196, 134, 11, "#3f4f9a"),
        circle(180, 142, 10, "#4a5cb0"),
        circle(296, 136, 12, "#d8322b"),
        circle(314, 142, 9, "#3f4f9a"),
      ],
      leaf(286, 122, 50, 0.7, "#4c9a4a"),
    ],
  ),
  scene(
    "fruit-bowl",
    "A bowl is piled high with apples, oranges, bananas and grapes.",
    ["fruit", "apple", "orange", "banana", "healthy"],
    () => [
      room(downward("#e3eef0", "#cfe0e3"), "#a9825a", 262, false),
      rect(0, 262, 480, 10, "#8a6540"),
      banana(250, 168, { scale: 1.7, rotate: -10 }),
      [
        apple(170, 198, { scale: 1.15 }),
        orange(236, 190, 36),
        apple(318, 194, { scale: 1.2 }, "#8fb84a"),
        orange(284, 214, 34),
        apple(214, 222, { scale: 1 }, "#e0703a"),
      ],
      grapes(352, 220, { scale: 1 }),
      bowl(244, 330, { scale: 1.35 }, "#e9e2d6", "#d2c8b6"),
      [apple(170, 222, { scale: 1.1 }), orange(240, 218, 36), apple(310, 222, { scale: 1.1 }, "#8fb84a")],
      path(
        "M104 232C110 308 176 330 244 330C312 330 378 308 384 232Q244 268 104 232Z",
        downward("#f4efe4", "#d9cfbd"),
      ),
      stroke("M112 262Q244 292 376 262", "#4f86a8", 5),
      orange(424, 312, 26),
    ],
  ),
  scene(
    "birthday-cake",
    "A birthday cake with pink icing and burning candles.",
    ["birthday", "cake", "candles", "party", "celebration"],
    () => [
      rect(0, 0, 480, 360, downward("#5a4a8a", "#8a6ab0")),
      repeat(9, (i) =>
        polygon(
          `${i * 60 - 6},20 ${i * 60 + 48},20 ${i * 60 + 21},64`,
          ["#f2b92e", "#f27aa0", "#5fc2b0"][i % 3] as string,
        ),
      ),
      stroke("M-10 20H490", "#f4efe4", 2),
      scatter(6, 40, { x: 0, y: 70, w: 480, h: 180 }, (x, y, random) =>
        rect(x, y, 6, 3, pick(["#f2b92e", "#f27aa0", "#5fc2b0", "#ffffff"], random), {
          rotate: random() * 180,
          opacity: 0.85,
        }),
      ),
      rect(0, 300, 480, 60, "#3f3466"),
      ellipse(240, 318, 170, 20, "#f4f6f8"),
      rect(120, 220, 240, 96, downward("#fbe9d2", "#f2d5b0"), { round: 10 }),
      rect(120, 262, 240, 10, "#e5697c"),
      path(
        "M120 236V222Q120 210 132 210H348Q360 210 360 222V236q-12 22 -24 2t-24 4t-24 -2t-24 6t-24 -4t-24 0t-24 -2t-24 2t-24 -4t-20 -2Z",
        "#f59ab5",
      ),
      rect(162, 146, 156, 68, downward("#fbe9d2", "#f2d5b0"), { round: 8 }),
      path(
        "M162 168V156Q162 144 174 144H306Q318 144 318 156V168q-13 20 -26 0t-26 4t-26 -2t-26 4t-26 -4t-26 -2Z",
        "#f59ab5",
      ),
      repeat(5, (i) => [
        rect(184 + i * 26, 104, 8, 42, ["#5fc2b0", "#f2b92e", "#ffffff", "#f2b92e", "#5fc2b0"][i] as string),
        circle(188 + i * 26, 90, 22, {
          kind: "radial",
          angle: 0,
          stops: [
            { offset: 0, colour: "#ffe08a", opacity: 0.7 },
            { offset: 1, colour: "#ffe08a", opacity: 0 },
          ],
        }),
        path(
          `M${188 + i * 26} 104C${180 + i * 26} 94 ${188 + i * 26} 86 ${188 + i * 26} 78C${190 + i * 26} 86 ${196 + i * 26} 94 ${188 + i * 26} 104Z`,
          "#ffb83f",
        ),
      ]),
      repeat(7, (i) => circle(140 + i * 33, 292, 6, "#e5484d")),
    ],
  ),
  scene(
    "ice-cream-cones",
    "Two ice cream cones with three scoops each on a sunny day.",
    ["ice cream", "dessert", "summer", "cone"],
    () => [
      sky("day"),
      sun(80, 74, 34),
      cloud(380, 80, 1.2),
      sea(250, 4, ["#5fc2d0", "#2f93b0"]),
      sand(300, 5),
      palm(440, 330, 1.6, -20),
      sundaeCone(174, 350, { scale: 1.5, rotate: -5 }, ["#f59ab5", "#fdf3d6", "#8a5a3a"]),
      sundaeCone(306, 352, { scale: 1.5, rotate: 6 }, ["#a9dcb0", "#f7b24a", "#f4efe4"]),
      [circle(324, 152, 10, "#d8322b"), stroke("M324 142q4 -14 14 -18", "#5b3a22", 2.6)],
    ],
  ),
  scene(
    "coffee-croissant",
    "A cappuccino with latte art stands next to a buttery croissant.",
    ["coffee", "croissant", "cafe", "breakfast"],
    () => [
      tableTop("slate"),
      plate(150, 190, 118, "#f4efe4", "#d9cfbd"),
      ellipse(152, 188, 86, 84, "#10202c", { opacity: 0.3 }),
      circle(150, 180, 84, "#ffffff"),
      stroke("M74 150C36 140 36 214 80 204", "#ffffff", 15),
      circle(150, 180, 72, "#8a5a34"),
      path(
        "M150 236C110 206 112 160 138 154C146 152 150 162 150 166C150 162 154 152 162 154C188 160 190 206 150 236Z",
        "#f6e3c4",
      ),
      path(
        "M150 214C128 196 130 174 142 172C147 172 150 178 150 180C150 178 153 172 158 172C170 174 172 196 150 214Z",
        "#a9744a",
      ),
      plate(356, 200, 96, "#ffffff"),
      croissant(356, 214, { scale: 1.15, rotate: -8 }),
      scatter(3, 14, { x: 300, y: 236, w: 110, h: 40 }, (x, y) => ellipse(x, y, 2.6, 1.6, "#d98f3c")),
      stroke("M240 300L300 340", "#c3cad1", 6),
      ellipse(234, 296, 14, 9, "#c3cad1", { rotate: 30 }),
    ],
  ),
  scene(
    "watermelon",
    "Juicy slices of watermelon on a picnic blanket.",
    ["watermelon", "picnic", "summer", "fruit"],
    () => [
      meadow(0, 5, ["#8cc863", "#5aa548"]),
      at(
        240,
        200,
        { rotate: -6 },
        rect(-200, -130, 400, 260, "#f4f1ea", { round: 6 }),
        repeat(10, (i) => rect(-200 + i * 40, -130, 20, 260, "#3f87d8", { opacity: 0.35 })),
        repeat(7, (i) => rect(-200, -130 + i * 40, 400, 20, "#3f87d8", { opacity: 0.35 })),
      ),
      shadow(160, 236, 90, 12),
      watermelonSlice(160, 176, { scale: 1.05, rotate: -10 }),
      shadow(326, 288, 90, 12),
      watermelonSlice(326, 226, { scale: 1.05, rotate: 12 }),
      watermelonSlice(330, 110, { scale: 0.7, rotate: 160 }),
      repeat(4, (i) => ellipse(120 + i * 30, 300 + (i % 2) * 12, 3, 5, "#2a1b18", { rotate: i * 40 })),
    ],
  ),
  scene(
    "doughnuts",
    "A box of frosted doughnuts with colourful sprinkles.",
    ["doughnut", "donut", "sweet", "sprinkles", "bakery"],
    () => [
      tableTop("marble"),
      rect(44, 42, 400, 284, "#10202c", { round: 8, opacity: 0.25 }),
      rect(38, 34, 400, 284, "#f7b7c9", { round: 8 }),
      rect(52, 48, 372, 256, "#fdf0f3", { round: 5 }),
      [
        doughnut(124, 116, 58, "#f59ac0", 3),
        doughnut(240, 114, 58, "#6b3d26", 5),
        doughnut(356, 116, 58, "#fdf6ea", 7),
        doughnut(124, 236, 58, "#8fd0c4", 9),
        doughnut(240, 238, 58, "#f7c84a", 11),
        doughnut(356, 236, 58, "#c9a6f3", 13),
      ],
    ],
  ),
  scene(
    "hot-chocolate",
    "A mug of hot chocolate with marshmallows by a frosty window.",
    ["hot chocolate", "marshmallow", "winter", "drink"],
    () => [
      room(downward("#8a5f4a", "#6f4a3a"), "#5a3a2a", 300, false),
      windowFrame(120, 20, 240, 200, downward("#a9c6dc", "#e9f2f8")),
      scatter(5, 60, { x: 122, y: 22, w: 236, h: 196 }, (x, y, random) =>
        circle(x, y, 1.4 + random() * 2.2, "#ffffff"),
      ),
      windowBars(120, 20, 240, 200),
      rect(0, 270, 480, 90, "#a5713f"),
      rect(0, 270, 480, 8, "#8a5a34"),
      shadow(230, 336, 90),
      stroke("M288 240C340 232 340 316 284 306", "#c9403f", 17),
      path("M158 200H302L292 336H168Z", "#d9534f"),
      ellipse(230, 200, 72, 17, "#f4efe4"),
      ellipse(230, 201, 62, 13, "#5b3420"),
      [
        rect(188, 184, 24, 18, "#fdfbf5", { round: 5, rotate: -12 }),
        rect(220, 180, 25, 19, "#fbe3e6", { round: 5, rotate: 10 }),
        rect(246, 188, 24, 17, "#fdfbf5", { round: 5 }),
      ],
      path(
        "M200 260C186 246 188 236 198 236C204 236 208 242 210 246C212 242 216 236 222 236C232 236 234 246 220 260L210 270Z",
        "#fbf6ea",
      ),
      stroke("M200 164c-12 -14 10 -22 -2 -42M258 164c-12 -14 10 -22 -2 -42", "#ffffff", 6, { opacity: 0.5 }),
      mug(400, 330, { scale: 1 }, "#4f86a8", false),
      ellipse(88, 332, 54, 10, "#f4efe4"),
      [circle(70, 318, 17, "#c98a45"), circle(104, 318, 17, "#b5793f"), circle(88, 306, 17, "#d39a54")],
      [
        circle(66, 314, 2.4, "#5b3420"),
        circle(76, 322, 2.4, "#5b3420"),
        circle(100, 314, 2.4, "#5b3420"),
        circle(110, 322, 2.4, "#5b3420"),
        circle(84, 302, 2.4, "#5b3420"),
        circle(94, 308, 2.4, "#5b3420"),
      ],
    ],
  ),
];
