import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  fade,
  glow,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
} from "../drawing/svg.ts";
import { townhouses } from "../parts/buildings.ts";
import { rug } from "../parts/furniture.ts";
import { shadow } from "../parts/grounds.ts";
import { accordion, drumKit, grandPiano, note, trumpet, violin } from "../parts/instruments.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";

import { sky } from "../parts/skies.ts";

function stage(light: string): Drawing {
  return [
    rect(0, 0, 480, 290, downward("#1a1230", "#3a2450")),
    [80, 240, 400].map((x) => [
      polygon(`${x - 10},0 ${x + 10},0 ${x + 90},300 ${x - 90},300`, fade(light, 0.4, 0.02)),
      rect(x - 14, 0, 28, 16, "#2b2d35", { round: 4 }),
    ]),
    rect(0, 284, 480, 76, downward("#6b4429", "#4a2e1c")),
    repeat(8, (i) => stroke(`M${240 + (i - 3.5) * 64} 284L${240 + (i - 3.5) * 110} 360`, "#3a2416", 2)),
  ];
}

function curtain(flip: boolean): Drawing {
  return at(
    flip ? 480 : 0,
    0,
    { flip },
    path("M0 0H90C84 100 70 200 40 330H0Z", "#a3262f"),
    stroke("M20 0C22 120 18 240 10 330M48 0C46 120 40 220 26 330M74 0C70 100 60 200 38 320", "#7a1a22", 4),
  );
}

export const concerts: readonly Scene[] = [
  scene(
    "grand-piano",
    "A black grand piano stands on a stage between red curtains.",
    ["piano", "stage", "concert", "music"],
    () => [
      stage("#ffe6b0"),
      curtain(false),
      curtain(true),
      ellipse(240, 322, 170, 16, "#ffe6b0", { opacity: 0.25 }),
      grandPiano(244, 326, { scale: 1.15 }),
      [rect(86, 286, 56, 10, "#26282d", { round: 3 }), stroke("M94 296V326M134 296V326", "#26282d", 5)],
    ],
  ),
  scene(
    "drum-kit",
    "A red drum kit with golden cymbals on a concert stage.",
    ["drums", "cymbals", "stage", "rock"],
    () => [
      stage("#f27aa0"),
      rug(240, 328, 190, 20, ["#4f2f5f", "#7a4a8a"]),
      drumKit(240, 326, { scale: 1.35 }),
      [
        rect(20, 200, 60, 96, "#1d1e24", { round: 4 }),
        circle(50, 228, 18, "#3a3d46"),
        circle(50, 270, 18, "#3a3d46"),
        rect(400, 200, 60, 96, "#1d1e24", { round: 4 }),
        circle(430, 228, 18, "#3a3d46"),
        circle(430, 270, 18, "#3a3d46"),
      ],
    ],
  ),
  scene(
    "jazz-trumpet",
    "A jazz musician plays a golden trumpet in a smoky club.",
    ["trumpet", "jazz", "musician", "club"],
    () => [
      rect(0, 0, 480, 360, downward("#141a38", "#2b2a55", "#4a2f52")),
      circle(210, 150, 190, glow("#7f8bf5", 0.35)),
      repeat(14, (r) =>
        repeat(9, (i) => rect(-20 + i * 62 + (r % 2) * 30, r * 22, 56, 18, "#ffffff", { opacity: 0.035 })),
      ),
      rect(0, 310, 480, 50, "#1f1730"),
      shadow(180, 350, 54, 8, 0.4),
      person(
        180,
        352,
        { scale: 2.2 },
        {
          ...POSES.standing,
          head: [4, -94],
          arms: [limb(18, -72, 30, -86), limb(16, -70, 26, -84)],
        },
        {
          shirt: "#26324a",
          trousers: "#1d2438",
          skin: SKIN.deep,
          hairStyle: "cap",
          hat: "#8a2f3a",
          face: "right",
        },
      ),
      trumpet(280, 166, { scale: 1, rotate: -8 }),
      [circle(236, 166, 9, SKIN.deep), circle(252, 178, 9, SKIN.deep)],
      [
        note(390, 110, {}, "#ffd978"),
        note(430, 170, { scale: 0.8, rotate: -10 }, "#ffd978"),
        note(410, 60, { scale: 0.7, rotate: 14 }, "#ffd978"),
      ],
      repeat(5, (i) => ellipse(60 + i * 100, 300 - (i % 2) * 16, 90, 14, "#8f8fb5", { opacity: 0.12 })),
    ],
  ),
  scene(
    "street-accordion",
    "A street musician plays the accordion for passers-by.",
    ["accordion", "street musician", "busker", "town"],
    () => [
      sky("morning"),
      townhouses(120, 240, 1.1),
      townhouses(440, 240, 1.1),
      rect(0, 238, 480, 122, downward("#c4b8a6", "#a3968a")),
      repeat(6, (r) =>
        repeat(14, (i) =>
          rect(i * 38 + (r % 2) * 18 - 14, 246 + r * 20, 34, 16, "#000000", { opacity: 0.05, round: 5 }),
        ),
      ),
      shadow(210, 346, 44),
      person(
        210,
        346,
        { scale: 1.75 },
        {
          ...POSES.standing,
          arms: [limb(-20, -64, -24, -54), limb(20, -64, 24, -54)],
        },
        { shirt: "#f4efe4", trousers: "#3b3a42", hairStyle: "cap", hat: "#4b5a4a", skin: SKIN.fair },
      ),
      accordion(210, 270, { scale: 0.56 }),
      [circle(170, 252, 7, SKIN.fair), circle(250, 252, 7, SKIN.fair)],
      [
        path("M290 340C290 330 340 330 340 340L334 352H296Z", "#4b3a33"),
        ellipse(315, 338, 25, 6, "#2b211c"),
        circle(308, 337, 4, "#f2c230"),
        circle(320, 339, 4, "#d7dbe0"),
      ],
      person(398, 340, { scale: 1.25, flip: true }, POSES.walking, {
        shirt: "#e5793d",
        skirt: "#4f86a8",
        hairStyle: "long",
        hair: "#3a2a20",
        face: "right",
        skin: SKIN.brown,
      }),
      [note(290, 180, {}, "#4a3f5f"), note(120, 190, { scale: 0.8, rotate: -10 }, "#4a3f5f")],
    ],
  ),
  scene(
    "orchestra-hall",
    "A conductor leads an orchestra in a concert hall.",
    ["orchestra", "conductor", "concert", "classical music"],
    () => [
      rect(0, 0, 480, 360, downward("#6b3a2a", "#8f5236")),
      repeat(7, (i) => rect(i * 74 - 10, 0, 40, 200, "#7f4630")),
      repeat(3, (i) => [
        circle(100 + i * 140, 40, 60, glow("#ffe6b0", 0.6)),
        circle(100 + i * 140, 40, 12, "#fff3c4"),
      ]),
      path("M0 360V220Q240 170 480 220V360Z", "#b97a45"),
      path("M0 360V290Q240 240 480 290V360Z", "#a5683a"),
      [60, 140, 340, 420].map((x, i) => [
        person(x, 262, { scale: 0.85, flip: x > 240 }, POSES.sitting, {
          shirt: "#1d1e24",
          trousers: "#1d1e24",
          face: "right",
          hairStyle: i % 2 ? "bun" : "short",
          skin: [SKIN.fair, SKIN.brown, SKIN.tan, SKIN.fair][i] as string,
        }),
        at(x + (x > 240 ? -22 : 22), 232, { rotate: x > 240 ? -30 : 30, scale: 0.36 }, violin(0, 30, {})),
      ]),
      [90, 180, 300, 390].map((x, i) => [
        person(x, 320, { scale: 1, flip: x > 240 }, POSES.sitting, {
          shirt: "#1d1e24",
          trousers: "#1d1e24",
          face: "right",
          hairStyle: i % 2 ? "short" : "long",
          hair: "#4a2a1a",
          skin: [SKIN.tan, SKIN.fair, SKIN.deep, SKIN.fair][i] as string,
        }),
        at(x + (x > 240 ? -26 : 26), 284, { rotate: x > 240 ? -24 : 24, scale: 0.46 }, violin(0, 30, {})),
      ]),
      rect(196, 332, 88, 28, "#4a2e1c", { round: 3 }),
      person(
        240,
        334,
        { scale: 1.35 },
        {
          ...POSES.standing,
          arms: [limb(-20, -82, -32, -98), limb(20, -82, 32, -96)],
        },
        { shirt: "#15161b", trousers: "#15161b", face: "none", hair: "#8a8d94" },
      ),
      stroke("M283 204L302 182", "#fdfbf3", 2.6),
    ],
  ),
];
