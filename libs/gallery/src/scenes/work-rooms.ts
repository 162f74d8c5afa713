import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  fade,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
} from "../drawing/svg.ts";

import { apple } from "../parts/foods.ts";

import { bookRow, chair, laptop, mug, room, table, windowBars, windowFrame } from "../parts/furniture.ts";

import { bush, cactus, leafyTree, pottedPlant } from "../parts/plants.ts";

function cupboards(y: number, colour: string, knob: string): Drawing {
  return repeat(5, (i) => [
    rect(10 + i * 94, y, 88, 62, colour, { round: 3 }),
    rect(17 + i * 94, y + 7, 74, 48, "#ffffff", { opacity: 0.16, round: 2 }),
    circle(88 + i * 94, y + 50, 3.4, knob),
  ]);
}

export const workRooms: readonly Scene[] = [
  scene(
    "kitchen",
    "A tidy kitchen with blue cupboards, a stove and hanging pans.",
    ["kitchen", "stove", "cupboards", "cooking"],
    () => [
      room("#f4efe4", "#b9a48a", 300, false),
      repeat(4, (r) =>
        repeat(20, (i) => rect(i * 24, 130 + r * 20, 23, 19, (i + r) % 2 ? "#e9f0f2" : "#dfe9ec")),
      ),
      cupboards(16, "#4f7f9c", "#f2d27a"),
      stroke("M250 92H440", "#7b828b", 4),
      [270, 320, 372, 420].map((x, i) => [
        stroke(`M${x} 92V110`, "#7b828b", 2),
        circle(x, 124 + i * 2, 14 + (i % 2) * 4, ["#c9713f", "#4b5058", "#b5573a", "#5a6068"][i] as string),
      ]),
      rect(0, 206, 480, 14, "#8a5a34"),
      rect(0, 220, 480, 84, "#e9e2d6"),
      cupboards(232, "#4f7f9c", "#f2d27a"),
      rect(196, 204, 96, 100, "#d7dbe0", { round: 3 }),
      rect(204, 240, 80, 54, "#2b3038", { round: 4 }),
      rect(210, 246, 68, 42, downward("#3a3a3f", "#7a4a2b"), { round: 3 }),
      repeat(4, (i) => circle(212 + i * 21, 228, 5, "#5a6068")),
      [
        rect(214, 174, 58, 30, "#c9403f", { round: 4 }),
        rect(208, 172, 70, 6, "#a3302f", { round: 3 }),
        circle(243, 168, 4, "#3a3f47"),
        stroke("M230 160c-8 -8 6 -14 0 -24M254 160c-8 -8 6 -14 0 -24", "#ffffff", 3, { opacity: 0.8 }),
      ],
      [
        apple(70, 198, { scale: 0.5 }),
        apple(96, 200, { scale: 0.5 }, "#8fb84a"),
        pottedPlant(420, 206, 0.7, "fern"),
      ],
      rect(330, 160, 44, 46, "#a9c6b4", { round: 6 }),
      rect(0, 304, 480, 56, downward("#c9b59a", "#a9927a")),
      repeat(8, (i) => stroke(`M${i * 70} 304L${i * 92 - 80} 360`, "#8f7a62", 1.5)),
    ],
  ),
  scene(
    "bathroom",
    "A white bathtub full of bubbles stands in a tiled bathroom.",
    ["bathroom", "bathtub", "bubbles", "tiles"],
    () => [
      rect(0, 0, 480, 262, "#d9eef0"),
      repeat(9, (r) =>
        repeat(17, (i) => rect(i * 29, r * 29, 27, 27, (i * 3 + r * 5) % 7 === 0 ? "#a9d6da" : "#e6f4f5")),
      ),
      rect(0, 260, 480, 100, "#8fa9b0"),
      repeat(5, (r) =>
        repeat(13, (i) => ((i + r) % 2 ? rect(i * 40 - 20, 260 + r * 20, 40, 20, "#dfe9ec") : [])),
      ),
      [
        circle(110, 96, 52, "#f7fbfc", { stroke: "#c9a13c", width: 6 }),
        path("M80 120L130 60L146 76L96 136Z", "#ffffff", { opacity: 0.6 }),
      ],
      [
        rect(74, 186, 84, 18, "#ffffff", { round: 8 }),
        rect(104, 200, 24, 100, "#eef3f5"),
        stroke("M116 186V170Q116 162 128 164", "#b9c3cc", 6),
      ],
      stroke("M414 236V150H390", "#c9a13c", 6),
      rect(380, 142, 14, 8, "#c9a13c"),
      path(
        "M200 230H446C448 300 430 318 404 318H242C216 318 198 300 200 230Z",
        downward("#ffffff", "#dfe6ea"),
      ),
      rect(190, 222, 266, 16, "#ffffff", { round: 8 }),
      [path("M234 316L222 340M412 316L424 340", "none", { stroke: "#c9a13c", width: 8 })],
      scatter(6, 34, { x: 206, y: 196, w: 216, h: 30 }, (x, y, random) =>
        circle(x, y, 6 + random() * 12, "#ffffff", { opacity: 0.9, stroke: "#cfe6ee", width: 1 }),
      ),
      at(
        296,
        190,
        {},
        path("M-16 0C-20 -16 4 -22 12 -10C18 -16 26 -10 22 -2C18 8 -10 12 -16 0Z", "#f7d154"),
        circle(14, -14, 9, "#f7d154"),
        polygon("21,-15 30,-11 21,-9", "#ef8f31"),
        circle(16, -17, 1.6, "#222"),
      ),
      rect(120, 326, 110, 18, "#f2a7a0", { round: 8 }),
    ],
  ),
  scene(
    "home-office",
    "A laptop and a cup of coffee stand on a desk in a home office.",
    ["desk", "laptop", "coffee", "work", "office"],
    () => [
      room(downward("#dfe9e6", "#cbdad6"), "#a9825a", 286),
      windowFrame(270, 30, 160, 120, downward("#8fcdf3", "#e3f5fc")),
      [leafyTree(310, 150, 0.7), bush(390, 150, 0.9)],
      windowBars(270, 30, 160, 120),
      rect(36, 66, 180, 8, "#8a5a34"),
      bookRow(46, 66, 120, 31, 36),
      pottedPlant(192, 66, 0.42, "snake"),
      rect(36, 132, 180, 8, "#8a5a34"),
      bookRow(90, 132, 116, 44, 36),
      [
        circle(62, 114, 16, "#5fa7d4"),
        path("M50 106q8 -8 14 0t10 6q-8 10 -16 6t-8 -12Z", "#6cb35c"),
        stroke("M62 130V132", "#7a5230", 6),
      ],
      chair(120, 340, { scale: 1.5 }, "#5a6b7a"),
      table(270, 340, 360, 110, "#9c6a3f"),
      laptop(262, 222, { scale: 1.25 }),
      mug(366, 222, { scale: 1 }, "#e5793d"),
      [rect(140, 210, 50, 5, "#4f86a8"), rect(144, 204, 46, 6, "#d9534f"), rect(142, 197, 44, 7, "#f2c230")],
      [
        stroke("M420 222V160L394 140", "#3d444c", 5),
        polygon("370,140 402,124 410,148 384,158", "#e5484d"),
        polygon("378,156 404,146 380,222 330,222", fade("#fff3c4", 0.4, 0.02)),
      ],
    ],
  ),
  scene(
    "greenhouse",
    "Plants in terracotta pots fill a sunny greenhouse.",
    ["greenhouse", "plants", "gardening", "pots"],
    () => [
      rect(0, 0, 480, 360, downward("#bfe6f2", "#e9f6e9")),
      hillsBehind(),
      repeat(9, (i) => rect(i * 60 - 3, 60, 6, 220, "#f7faf9")),
      stroke("M-10 70L240 -20L490 70M0 150H480M0 214H480", "#f7faf9", 6),
      rect(0, 276, 480, 84, "#b9a48a"),
      repeat(7, (i) => stroke(`M${240 + (i - 3) * 60} 276L${240 + (i - 3) * 120} 360`, "#9a866d", 1.6)),
      rect(0, 196, 480, 10, "#a5713f"),
      [40, 110, 180, 300, 370, 440].map((x, i) =>
        pottedPlant(
          x,
          196,
          0.85,
          (["fern", "leaves", "snake", "leaves", "fern", "snake"] as const)[i] as "fern",
        ),
      ),
      rect(20, 290, 150, 10, "#8a5a34"),
      [pottedPlant(60, 290, 1.1, "leaves"), pottedPlant(126, 290, 1.05, "fern", "#8a5a4a")],
      cactus(330, 330, 0.9),
      path("M304 318H356L350 352H310Z", "#c9713f"),
      pottedPlant(430, 346, 1.7, "leaves", "#b5603a"),
      at(
        230,
        330,
        {},
        path("M-26 -44H22V0H-26Z", "#4f86a8"),
        stroke("M22 -34L54 -60", "#4f86a8", 8),
        path("M46 -72L68 -58L60 -50Z", "#3f6f8f"),
        stroke("M-26 -38C-50 -36 -50 -8 -26 -6", "#4f86a8", 6),
      ),
    ],
  ),
  scene(
    "attic",
    "Dusty trunks and an old rocking chair stand in the attic.",
    ["attic", "old things", "trunk", "rocking chair"],
    () => [
      rect(0, 0, 480, 360, "#4a382c"),
      polygon("0,360 0,190 240,-10 480,190 480,360", "#6b5240"),
      repeat(6, (i) =>
        stroke(
          `M${240 - (i + 1) * 44} ${36 * (i + 1) - 10}L${240 - (i + 1) * 44} 280M${240 + (i + 1) * 44} ${36 * (i + 1) - 10}L${240 + (i + 1) * 44} 280`,
          "#5a4434",
          3,
        ),
      ),
      stroke("M0 190L240 -10L480 190", "#3a2a20", 16),
      rect(0, 276, 480, 84, "#7a5a40"),
      repeat(6, (i) => stroke(`M${240 + (i - 2.5) * 76} 276L${240 + (i - 2.5) * 130} 360`, "#5d4330", 2)),
      [
        circle(240, 120, 44, "#cfe6f0", { stroke: "#8a6a4a", width: 8 }),
        stroke("M240 78V162M198 120H282", "#8a6a4a", 5),
        polygon("206,150 274,150 380,330 120,330", fade("#fff6d6", 0.28, 0.02)),
      ],
      [
        rect(40, 260, 130, 70, "#8a4f34", { round: 6 }),
        path("M40 262C40 236 170 236 170 262Z", "#9c5c3d"),
        rect(40, 268, 130, 8, "#c9a13c"),
        rect(98, 262, 14, 22, "#c9a13c", { round: 2 }),
        rect(56, 240, 8, 90, "#6b3d26"),
        rect(146, 240, 8, 90, "#6b3d26"),
      ],
      at(
        346,
        330,
        {},
        stroke("M-50 -6Q0 14 60 -10", "#6b4226", 8),
        stroke("M-30 -4L-22 -56M36 -6L30 -56M-22 -56H40M-22 -56L-40 -130M-30 -94H24L30 -56", "#8a5a34", 7),
        rect(-26, -64, 66, 10, "#a5713f", { round: 4 }),
      ),
      [
        stroke("M440 276L470 120M420 120L480 110", "#b9b2a3", 2),
        ellipse(210, 324, 24, 6, "#3a2a20", { opacity: 0.4 }),
        rect(196, 286, 34, 38, "#c99a62"),
        stroke("M196 300H230M213 286V324", "#8a6a3e", 3),
      ],
      scatter(3, 26, { x: 150, y: 150, w: 190, h: 160 }, (x, y) =>
        circle(x, y, 1.3, "#fff6d6", { opacity: 0.6 }),
      ),
    ],
  ),
  scene(
    "laundry-room",
    "Clothes tumble in a washing machine beside a basket of laundry.",
    ["laundry", "washing machine", "clothes", "chores"],
    () => [
      room(downward("#e6eef4", "#d3dfe9"), "#9fb0ba", 284, false),
      rect(0, 90, 480, 10, "#a5713f"),
      [
        rect(60, 50, 40, 40, "#f2a02e", { round: 5 }),
        rect(110, 40, 30, 50, "#5fa46a", { round: 5 }),
        rect(152, 58, 44, 32, "#e9e2d6", { round: 4 }),
        repeat(4, (i) =>
          rect(320, 80 - i * 12, 90, 11, ["#f27aa0", "#8fc7d8", "#f6e3b0", "#b9a6d9"][i] as string, {
            round: 5,
          }),
        ),
      ],
      rect(70, 140, 170, 190, "#fbfcfd", { round: 10 }),
      rect(70, 140, 170, 38, "#dfe6ec", { round: 10 }),
      [
        circle(210, 159, 10, "#7b8794"),
        rect(88, 150, 46, 18, "#c3ccd5", { round: 3 }),
        circle(176, 159, 5, "#5fc27a"),
      ],
      circle(155, 252, 62, "#c3ccd5"),
      circle(155, 252, 50, downward("#5b7f9c", "#2f4a63")),
      [
        path("M112 268C120 236 150 250 160 230C176 216 200 238 198 260C190 296 126 300 112 268Z", "#f27aa0"),
        path("M118 276C140 262 160 286 190 268C180 300 134 304 118 276Z", "#f6e3b0"),
        path("M126 262C136 250 150 258 152 268C146 278 130 276 126 262Z", "#8fc7d8"),
      ],
      repeat(6, (i) => circle(128 + i * 12, 226 + ((i * 17) % 20), 4, "#ffffff", { opacity: 0.7 })),
      path("M290 262H430L414 336H306Z", "#d9b487"),
      repeat(6, (i) => stroke(`M${300 + i * 22} 266L${308 + i * 18} 332`, "#b58c5c", 3)),
      stroke("M292 284H428M296 306H424", "#b58c5c", 3),
      [
        circle(330, 254, 26, "#4f86a8"),
        circle(372, 248, 30, "#f2762e"),
        circle(408, 256, 22, "#fbf8f0"),
        stroke("M350 236q20 -16 40 0", "#c95a1c", 3),
      ],
    ],
  ),
];

function hillsBehind(): Drawing {
  return [
    ellipse(120, 290, 200, 90, "#9ed07a"),
    ellipse(380, 300, 220, 80, "#8cc263"),
    leafyTree(250, 240, 1.2),
  ];
}
