import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, glow, path, polygon, rect, stroke } from "../drawing/svg.ts";

import { bookRow, chair, mug, picture, room, windowBars, windowFrame } from "../parts/furniture.ts";
import { ground, shadow } from "../parts/grounds.ts";
import { guitar, headphones, note, recordPlayer, saxophone, violin } from "../parts/instruments.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { pineWood, pottedPlant } from "../parts/plants.ts";
import { sky, stars } from "../parts/skies.ts";

export const music: readonly Scene[] = [
  scene(
    "guitar-campfire",
    "A man plays the guitar next to a campfire under the stars.",
    ["guitar", "campfire", "night", "song"],
    () => [
      sky("night"),
      stars(7, 100, 230),
      pineWood(4, 256, ["#14233a", "#1b2c46"], 1),
      ground(250, "#33463a", "#1d2b28"),
      circle(330, 300, 120, glow("#ff9d3f", 0.55)),
      rect(90, 306, 130, 22, "#6b4429", { round: 11 }),
      ellipse(90, 317, 8, 11, "#a5713f"),
      person(
        154,
        346,
        { scale: 1.45 },
        {
          ...POSES.sitting,
          arms: [limb(20, -60, 32, -62), limb(10, -58, 16, -52)],
        },
        {
          shirt: "#c9403f",
          trousers: "#3b4a63",
          hairStyle: "beanie",
          hat: "#4f6b4a",
          face: "right",
          skin: SKIN.tan,
        },
      ),
      at(166, 284, { rotate: 66, scale: 0.62 }, guitar(0, 40, {})),
      stroke("M168 272L184 266", SKIN.tan, 8),
      [
        stroke("M296 340L366 318M300 318L364 340M330 316V342", "#5b3a20", 9),
        path("M300 324C284 270 322 262 318 222C346 248 352 270 358 256C378 284 376 310 360 324Z", "#f2762e"),
        path("M316 324C310 292 334 286 332 262C350 282 358 300 346 324Z", "#ffd65c"),
      ],
      [note(236, 190, { scale: 0.9 }, "#ffe6b0"), note(290, 150, { scale: 0.7, rotate: 12 }, "#ffe6b0")],
      scatter(5, 14, { x: 300, y: 120, w: 80, h: 110 }, (x, y) => circle(x, y, 1.8, "#ffb347")),
    ],
  ),
  scene(
    "violin-chair",
    "A violin and its bow rest on a wooden chair.",
    ["violin", "bow", "chair", "classical music"],
    () => [
      room(downward("#d9c9b0", "#c4b193"), "#8a6240", 280),
      windowFrame(50, 30, 110, 170, downward("#cfe6f2", "#fdf6e3")),
      windowBars(50, 30, 110, 170),
      polygon("60,200 150,200 300,350 140,350", fade("#fff6d6", 0.3, 0.02)),
      chair(300, 340, { scale: 2.3, flip: true }, "#6b4226"),
      violin(292, 226, { scale: 1.25, rotate: -16 }),
      stroke("M214 220L366 90", "#5b3a22", 4),
      stroke("M218 226L368 98", "#f4efe4", 1.6),
      at(
        108,
        340,
        {},
        stroke("M0 0V-110M-30 0L0 -26L30 0", "#33373d", 4),
        polygon("-40,-150 40,-150 46,-104 -46,-104", "#33373d"),
        rect(-34, -156, 33, 46, "#fdfbf3"),
        rect(1, -156, 33, 46, "#fdfbf3"),
        repeat(5, (i) => stroke(`M-30 ${-148 + i * 8}h25M5 ${-148 + i * 8}h25`, "#8a8d94", 1)),
      ),
    ],
  ),
  scene(
    "saxophone-window",
    "A saxophone leans against the wall below a window at night.",
    ["saxophone", "jazz", "window", "city"],
    () => [
      room(downward("#7a3f3a", "#8f4f45"), "#4a2f26", 290),
      windowFrame(60, 30, 150, 180, downward("#141d3f", "#3a4680"), "#5b3a2a"),
      at(60, 30, { scale: 0.31 }, stars(3, 30, 380)),
      repeat(5, (i) => [
        rect(66 + i * 28, 150 - (i % 3) * 22, 24, 60 + (i % 3) * 22, "#0f1530"),
        rect(72 + i * 28, 160 - (i % 3) * 14, 5, 6, "#ffd978"),
        rect(81 + i * 28, 176, 5, 6, "#ffd978"),
      ]),
      windowBars(60, 30, 150, 180, "#5b3a2a"),
      picture(390, 50, 60, 60, downward("#d9a35c", "#7a4a6b"), "#2b1d18"),
      shadow(350, 332, 60, 8, 0.35),
      saxophone(330, 330, { scale: 1.3, rotate: 8 }),
      [
        rect(80, 290, 120, 44, "#2b2320", { round: 6 }),
        rect(80, 306, 120, 4, "#c9a13c"),
        rect(132, 302, 16, 12, "#c9a13c", { round: 2 }),
      ],
    ],
  ),
  scene(
    "record-player",
    "A vinyl record spins on an old record player next to a lamp.",
    ["record player", "vinyl", "turntable", "vintage"],
    () => [
      room(downward("#e9c9a0", "#dcb384"), "#7a4f34", 300, false),
      [
        picture(60, 40, 80, 80, downward("#e5793d", "#7a2f4a"), "#33241c"),
        picture(160, 40, 80, 80, downward("#3f8f9c", "#f2d9a8"), "#33241c"),
      ],
      rect(30, 250, 420, 14, "#6b4429"),
      rect(44, 264, 392, 96, "#80552f"),
      rect(56, 276, 180, 80, "#4a2f1c"),
      bookRow(60, 354, 172, 70, 70),
      rect(250, 276, 176, 80, "#6b4429"),
      circle(338, 316, 5, "#c9a13c"),
      recordPlayer(200, 246, { scale: 1.15 }),
      [
        circle(400, 150, 90, glow("#fff0bf", 0.6)),
        polygon("372,150 428,150 446,196 354,196", "#f4d9a0"),
        stroke("M400 196V240", "#c9a13c", 6),
        ellipse(400, 246, 26, 6, "#c9a13c"),
      ],
      [note(300, 120, {}, "#7a4a2a"), note(268, 156, { scale: 0.8, rotate: -12 }, "#7a4a2a")],
    ],
  ),
  scene(
    "headphones-desk",
    "Headphones lie on a desk beside a computer with a music program.",
    ["headphones", "computer", "music production", "desk"],
    () => [
      room(downward("#2b2f45", "#3a3f5c"), "#1f2233", 300, false),
      rect(80, 40, 260, 172, "#15171f", { round: 8 }),
      rect(90, 50, 240, 150, downward("#1d2438", "#141a2b")),
      repeat(5, (r) => [
        rect(98, 60 + r * 26, 30, 18, "#39425c", { round: 2 }),
        repeat(6 - (r % 3), (i) =>
          rect(
            134 + i * 32 + ((r * 13) % 20),
            60 + r * 26,
            26,
            18,
            ["#f27aa0", "#5fc2b0", "#f2c230", "#7f8bf5", "#f2762e"][r] as string,
            { round: 3 },
          ),
        ),
      ]),
      stroke("M222 52V198", "#ffffff", 1.6),
      polygon("190,212 230,212 250,256 170,256", "#2b2f3d"),
      rect(0, 254, 480, 106, downward("#8a5f3f", "#6b472c")),
      rect(0, 252, 480, 6, "#a5754d"),
      [
        rect(70, 290, 190, 44, "#e6eaee", { round: 5 }),
        repeat(14, (i) => stroke(`M${83 + i * 13.4} 290V334`, "#9aa1a9", 1)),
        repeat(10, (i) => rect(79 + i * 18, 290, 8, 26, "#26282d")),
      ],
      headphones(366, 316, { scale: 1.05 }),
      [
        rect(380, 120, 60, 134, "#1d1e24", { round: 5 }),
        circle(410, 156, 18, "#4a4f5c"),
        circle(410, 210, 24, "#4a4f5c"),
        circle(410, 210, 9, "#26282d"),
      ],
      mug(290, 300, { scale: 0.9 }, "#5fc2b0"),
      pottedPlant(36, 256, 0.9, "snake"),
    ],
  ),
];
