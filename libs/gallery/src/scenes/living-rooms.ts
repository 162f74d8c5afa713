import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, glow, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { skyline } from "../parts/buildings.ts";

import { glass } from "../parts/tableware.ts";
import {
  armchair,
  bed,
  bookRow,
  bookcase,
  ceilingLamp,
  chair,
  curtains,
  cushion,
  floorLamp,
  mug,
  picture,
  room,
  rug,
  sofa,
  table,
  teddy,
  windowBars,
  windowFrame,
} from "../parts/furniture.ts";
import { shadow } from "../parts/grounds.ts";
import { pottedPlant, tulip } from "../parts/plants.ts";
import { moon, stars } from "../parts/skies.ts";

export const livingRooms: readonly Scene[] = [
  scene(
    "living-room",
    "A bright living room with a green sofa, a rug and large plants.",
    ["living room", "sofa", "plants", "interior"],
    () => [
      room(downward("#f6efe4", "#efe2cf"), "#c99a62", 262),
      windowFrame(40, 30, 130, 160, downward("#8fcdf3", "#e9f6fb")),
      windowBars(40, 30, 130, 160),
      curtains(40, 24, 130, 190, "#e2c9a6"),
      picture(238, 50, 60, 76, downward("#e5893d", "#7a4a6b")),
      picture(316, 50, 60, 76, downward("#5f9a8f", "#f2d9a8")),
      rug(256, 324, 200, 28, ["#e9d3ad", "#d98f5c", "#e9d3ad", "#5f9a8f"]),
      sofa(280, 300, { scale: 1.3 }, "#5f8f6b", "#47735a"),
      [cushion(194, 226, "#f2b95c", -10), cushion(362, 226, "#e8d5ba", 12)],
      pottedPlant(60, 306, 1.7, "leaves", "#e9e2d6"),
      floorLamp(446, 300, { scale: 1.1 }),
      table(270, 346, 130, 34),
      mug(250, 304, { scale: 0.7 }, "#4f86a8"),
    ],
  ),
  scene(
    "bedroom-moon",
    "A cosy bedroom at night with moonlight falling on the bed.",
    ["bedroom", "bed", "night", "moonlight"],
    () => [
      room(downward("#34406b", "#4a5685"), "#4f3f4a", 266),
      windowFrame(280, 34, 140, 130, downward("#0a1230", "#2a3a72"), "#c9cfe0"),
      at(280, 34, { scale: 0.29 }, stars(4, 26, 400)),
      moon(370, 74, 18),
      windowBars(280, 34, 140, 130, "#c9cfe0"),
      polygon("290,170 410,170 360,330 130,330", fade("#cfdcff", 0.28, 0.02)),
      picture(80, 60, 70, 50, downward("#5b6a9c", "#8a7fae"), "#2a2f4a"),
      bed(210, 318, { scale: 1.35 }, "#6f86c9"),
      table(436, 318, 66, 56, "#6b4a3a"),
      [
        circle(436, 232, 40, glow("#ffdf9a", 0.5)),
        polygon("424,236 448,236 456,254 416,254", "#f4d9a0"),
        stroke("M436 254V260", "#c9a13c", 4),
      ],
      rug(180, 344, 150, 12, ["#7a6a9a", "#a597bf"]),
    ],
  ),
  scene(
    "nursery",
    "A child's bedroom is full of toys, blocks and a teddy bear.",
    ["toys", "teddy bear", "children", "playroom"],
    () => [
      room(downward("#fbe3e6", "#f6d3cf"), "#d9b487", 256),
      repeat(6, (i) => [
        stroke(`M${30 + i * 84} 0V${34 + (i % 3) * 18}`, "#d9b98a", 1.4),
        polygon(star(30 + i * 84, 44 + (i % 3) * 18, 12), ["#f2b92e", "#8fc7d8", "#f27aa0"][i % 3] as string),
      ]),
      windowFrame(60, 90, 110, 100, downward("#8fcdf3", "#fdf6e3")),
      windowBars(60, 90, 110, 100),
      rug(230, 316, 200, 36, ["#8fc7d8", "#fdf6e3", "#f2b95c"]),
      rect(330, 140, 130, 118, "#fdfbf5", { round: 4 }),
      [repeat(2, (r) => rect(338, 148 + r * 54, 114, 48, "#f2d9c3"))],
      bookRow(344, 194, 60, 8, 34),
      at(430, 196, { scale: 0.5 }, teddy(0, 0, {}, "#e9c9a0")),
      [
        circle(360, 234, 14, "#e5484d"),
        circle(394, 236, 12, "#3f87d8"),
        polygon("412,250 428,220 444,250", "#5fa46a"),
      ],
      shadow(190, 320, 44),
      teddy(190, 320, { scale: 1.5 }),
      [
        rect(270, 290, 32, 32, "#e5484d", { round: 3 }),
        rect(304, 290, 32, 32, "#3f87d8", { round: 3 }),
        rect(286, 258, 32, 32, "#f2c230", { round: 3 }),
        circle(286, 306, 7, "#ffffff"),
        polygon("312,314 320,298 328,314", "#ffffff"),
        rect(296, 267, 13, 13, "#ffffff"),
      ],
      at(
        84,
        330,
        {},
        rect(-30, -26, 46, 18, "#5fa46a", { round: 4 }),
        rect(-8, -40, 24, 18, "#5fa46a", { round: 3 }),
        circle(-18, -6, 8, "#33373d"),
        circle(8, -6, 8, "#33373d"),
        circle(-18, -6, 3, "#f2c230"),
        circle(8, -6, 3, "#f2c230"),
      ),
      circle(400, 322, 22, "#f2762e"),
      path("M380 314Q400 326 420 314M380 330Q400 318 420 330", "none", { stroke: "#ffffff", width: 4 }),
    ],
  ),
  scene(
    "dining-table",
    "A dining table is laid for dinner with candles and wine glasses.",
    ["dining room", "table", "candles", "dinner"],
    () => [
      room(downward("#5f3f3a", "#7a5248"), "#4f342a", 270),
      picture(180, 40, 120, 80, downward("#c98f5c", "#5f7f6b"), "#c9a13c"),
      ceilingLamp(240, 0, "#c9a13c"),
      [chair(70, 330, { scale: 1.5 }, "#4a2f22"), chair(410, 330, { scale: 1.5, flip: true }, "#4a2f22")],
      polygon("70,236 410,236 446,300 34,300", "#fbf6ea"),
      path(
        "M34 300H446V330Q420 318 394 330T342 330T290 330T238 330T186 330T134 330T82 330T34 330Z",
        "#efe6d3",
      ),
      [130, 350].map((x) => [
        ellipse(x, 270, 44, 15, "#ffffff", { stroke: "#d9d2c3", width: 2 }),
        ellipse(x, 270, 28, 9, "#f4efe4"),
        stroke(`M${x - 56} 282L${x - 50} 258M${x + 56} 282L${x + 50} 258`, "#c3cad1", 3),
      ]),
      [190, 290].map((x) => [
        circle(x, 150, 44, glow("#ffcf6b", 0.55)),
        rect(x - 5, 172, 10, 78, "#fdf6e3"),
        path(`M${x} 172C${x - 8} 160 ${x} 150 ${x} 142C${x + 2} 152 ${x + 8} 160 ${x} 172Z`, "#ffb83f"),
        rect(x - 12, 248, 24, 7, "#c9a13c", { round: 3 }),
      ]),
      [86, 394].map((x) => [
        path(
          `M${x - 13} 206H${x + 13}C${x + 13} 230 ${x + 5} 234 ${x + 2} 236V254H${x - 2}V236C${x - 5} 234 ${x - 13} 230 ${x - 13} 206Z`,
          "#f4f9fb",
          { opacity: 0.7 },
        ),
        path(
          `M${x - 12} 216H${x + 12}C${x + 10} 230 ${x + 4} 234 ${x} 235C${x - 4} 234 ${x - 10} 230 ${x - 12} 216Z`,
          "#8f1f33",
        ),
        ellipse(x, 255, 10, 3, "#f4f9fb", { opacity: 0.8 }),
      ]),
      [
        tulip(240, 262, 1.1, "#e5484d"),
        tulip(230, 264, 0.95, "#f2c230"),
        tulip(250, 264, 0.95, "#f27aa0"),
        path("M226 252H254L250 282H230Z", "#4f86a8"),
      ],
    ],
  ),
  scene(
    "library",
    "Tall shelves of books line the walls of a quiet library.",
    ["library", "books", "shelves", "reading"],
    () => [
      room("#5d4030", "#7a4f34", 290),
      [0, 120, 240, 360].map((x, i) => bookcase(x, 290, 120, 6, 50 + i * 9, "#6b4429")),
      rug(240, 330, 210, 24, ["#7a2f2f", "#c9a15c", "#7a2f2f"]),
      armchair(120, 332, { scale: 1.2 }, "#4f6b4a", "#3a5238"),
      at(
        330,
        290,
        { rotate: 8 },
        stroke("M-16 0V-230M16 0V-230", "#c99a62", 6),
        repeat(9, (i) => stroke(`M-16 ${-20 - i * 25}H16`, "#c99a62", 5)),
      ),
      [
        circle(236, 210, 80, glow("#ffdf9a", 0.45)),
        table(236, 336, 80, 70, "#4a2f1e"),
        polygon("220,220 252,220 262,240 210,240", "#3f8a5b"),
        stroke("M236 240V258", "#c9a13c", 4),
      ],
    ],
  ),
  scene(
    "high-rise-balcony",
    "Two chairs on a balcony look out over the city at dusk.",
    ["balcony", "city view", "evening", "chairs"],
    () => [
      rect(0, 0, 480, 360, downward("#2f3a6b", "#8a5f8f", "#f2a27a")),
      skyline(21, 262, ["#2b2f55", "#3a3763", "#463d68"], "#ffe0a0", 150),
      rect(0, 258, 480, 102, "#8f7f7a"),
      repeat(6, (i) => stroke(`M${i * 96} 258L${i * 110 - 40} 360`, "#7a6b67", 2)),
      rect(0, 176, 480, 8, "#33384a"),
      repeat(25, (i) => rect(i * 20, 184, 3, 78, "#33384a")),
      [chair(120, 340, { scale: 1.5 }, "#e9e2d6"), chair(360, 340, { scale: 1.5, flip: true }, "#e9e2d6")],
      table(240, 342, 100, 66, "#c99a62"),
      [glass(222, 268, { scale: 0.55 }, "#f2a02e"), glass(262, 268, { scale: 0.55 }, "#e5697c")],
      repeat(11, (i) => [
        circle(20 + i * 44, 40 + Math.sin(i * 1.1) * 10 + 12, 14, glow("#ffdf9a", 0.5)),
        circle(20 + i * 44, 40 + Math.sin(i * 1.1) * 10 + 12, 4, "#ffe9ae"),
      ]),
      stroke("M0 44Q120 70 240 48T480 46", "#33384a", 1.6),
      pottedPlant(40, 350, 1.2, "fern"),
    ],
  ),
];

function star(x: number, y: number, r: number): string {
  return Array.from({ length: 10 }, (_, i) => {
    const a = ((i * 36 - 90) * Math.PI) / 180;
    const d = i % 2 === 0 ? r : r * 0.45;
    return `${(x + Math.cos(a) * d).toFixed(1)},${(y + Math.sin(a) * d).toFixed(1)}`;
  }).join(" ");
}
