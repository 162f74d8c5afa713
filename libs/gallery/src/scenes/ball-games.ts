import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { circle, downward, ellipse, polygon, rect, stroke } from "../drawing/svg.ts";
import { beach, ground, hills, sea, shadow } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { bush, leafyTree } from "../parts/plants.ts";

import { cloud, sky, sun } from "../parts/skies.ts";
import { basketball, crowd, football, goal, hoop, racket, tennisBall } from "../parts/sports.ts";

export const ballGames: readonly Scene[] = [
  scene(
    "football-match",
    "A footballer kicks the ball towards the goal in a packed stadium.",
    ["football", "soccer", "goal", "stadium"],
    () => [
      sky("day"),
      crowd(60, 92),
      rect(0, 148, 480, 12, "#3f6fb5"),
      repeat(6, (i) => rect(i * 80, 160, 80, 200, i % 2 ? "#5aa548" : "#67b553")),
      stroke("M0 210H480M300 210V360", "#ffffff", 3, { opacity: 0.7 }),
      goal(390, 222, { scale: 0.85 }),
      person(
        392,
        224,
        { scale: 0.7 },
        {
          ...POSES.standing,
          arms: [limb(-18, -78, -34, -84), limb(18, -78, 34, -84)],
        },
        { shirt: "#f2c230", shorts: true, trousers: "#2b2d35" },
      ),
      shadow(140, 332, 40),
      person(140, 332, { scale: 1.5 }, POSES.kicking, {
        shirt: "#d8322b",
        shortSleeves: true,
        shorts: true,
        trousers: "#ffffff",
        skin: SKIN.brown,
        face: "right",
      }),
      shadow(246, 318, 16),
      football(246, 290, 18),
      stroke("M206 312h-20M214 300h-26", "#ffffff", 2.4, { opacity: 0.7 }),
    ],
  ),
  scene(
    "basketball-dunk",
    "A basketball player leaps to dunk the ball through the hoop.",
    ["basketball", "dunk", "hoop", "jump"],
    () => [
      rect(0, 0, 480, 262, downward("#33406b", "#4a5a8f")),
      crowd(120, 76),
      rect(0, 196, 480, 66, "#27325a"),
      rect(0, 262, 480, 98, "#d99a5c"),
      repeat(8, (i) => stroke(`M${240 + (i - 3.5) * 64} 262L${240 + (i - 3.5) * 116} 360`, "#b97a3f", 2)),
      ellipse(330, 320, 150, 34, "none", { stroke: "#ffffff", width: 3, opacity: 0.7 }),
      hoop(368, 146, { scale: 1.15 }),
      shadow(236, 336, 46),
      person(
        236,
        268,
        { scale: 1.5, rotate: 8 },
        {
          ...POSES.running,
          arms: [limb(-14, -66, -24, -56), limb(26, -92, 44, -110)],
        },
        {
          shirt: "#e2542f",
          shortSleeves: true,
          shorts: true,
          trousers: "#e2542f",
          skin: SKIN.deep,
          face: "right",
        },
      ),
      basketball(330, 108, 18),
    ],
  ),
  scene(
    "tennis-serve",
    "A woman serves at a tennis court on a bright day.",
    ["tennis", "racket", "serve", "court"],
    () => [
      sky("noon"),
      cloud(90, 60, 1),
      [
        bush(40, 200, 1.3),
        bush(140, 198, 1.2),
        bush(250, 200, 1.4),
        bush(360, 198, 1.2),
        bush(450, 200, 1.3),
      ],
      rect(0, 196, 480, 164, "#4f86b5"),
      polygon("60,220 420,220 520,360 -40,360", "#c9623f"),
      stroke(
        "M60 220H420M60 220L-40 360M420 220L520 360M96 220L20 360M384 220L460 360M70 290H410M240 220V290",
        "#ffffff",
        3,
      ),
      rect(20, 200, 440, 34, "#ffffff", { opacity: 0.28 }),
      repeat(30, (i) => stroke(`M${20 + i * 15} 200V234`, "#ffffff", 0.8, { opacity: 0.5 })),
      rect(20, 196, 440, 5, "#ffffff"),
      shadow(210, 336, 40),
      racket(272, 216, { scale: 1.4, rotate: 24 }),
      person(
        210,
        336,
        { scale: 1.45 },
        {
          ...POSES.swinging,
          arms: [limb(-14, -88, -16, -108), limb(22, -86, 40, -88)],
        },
        {
          shirt: "#ffffff",
          skirt: "#ffffff",
          shortSleeves: true,
          hairStyle: "bun",
          hair: "#7a4a24",
          skin: SKIN.tan,
          face: "right",
        },
      ),
      tennisBall(188, 132, 11),
    ],
  ),
  scene(
    "golf-green",
    "A golfer putts towards the flag on a smooth green.",
    ["golf", "putting", "green", "flag"],
    () => [
      sky("noon"),
      cloud(360, 66, 1.1),
      hills(190, 18, "#8cc26b", 2),
      [leafyTree(50, 220, 1), leafyTree(120, 214, 0.8), leafyTree(430, 216, 1.1)],
      ground(212, "#7cbc5a", "#58994a"),
      ellipse(280, 300, 230, 60, "#9ad775"),
      ellipse(60, 320, 60, 16, "#f1dda8"),
      [
        ellipse(370, 290, 12, 4, "#2f5a2f"),
        stroke("M370 290V190", "#f4f4ee", 3),
        polygon("370,190 410,202 370,216", "#e5484d"),
      ],
      shadow(180, 334, 36),
      stroke("M208 260L224 330L236 330", "#5a6068", 3.4),
      person(180, 334, { scale: 1.4 }, POSES.bending, {
        shirt: "#f27aa0",
        shortSleeves: true,
        trousers: "#f4efe4",
        hairStyle: "cap",
        hat: "#ffffff",
        face: "right",
      }),
      circle(252, 328, 5, "#ffffff"),
    ],
  ),
  scene(
    "beach-volleyball",
    "Friends play volleyball over a net on the beach.",
    ["volleyball", "beach", "friends", "summer"],
    () => [
      sky("noon"),
      sun(420, 56),
      sea(160, 5),
      beach(200, 4),
      stroke("M240 150V330M30 190V310", "#8a5a34", 7),
      polygon("30,196 240,156 240,206 30,236", "#ffffff", { opacity: 0.35 }),
      repeat(14, (i) => stroke(`M${38 + i * 15} ${194 - i * 2.9}v${40 + i * 0.8}`, "#ffffff", 1.2)),
      stroke("M30 196L240 156M30 236L240 206", "#ffffff", 3),
      [shadow(160, 328, 34), shadow(350, 336, 38)],
      person(160, 316, { scale: 1.2 }, POSES.cheering, {
        shirt: "#f27aa0",
        shortSleeves: true,
        shorts: true,
        trousers: "#7b5aa8",
        hairStyle: "bun",
        hair: "#7a4a24",
        skin: SKIN.tan,
      }),
      person(350, 336, { scale: 1.4, flip: true }, POSES.swinging, {
        shirt: "#3f87d8",
        shortSleeves: true,
        shorts: true,
        trousers: "#f2c230",
        skin: SKIN.deep,
        face: "right",
      }),
      [
        circle(250, 108, 17, "#fdfbf5"),
        stroke("M234 104Q250 116 266 104M250 91Q244 108 252 125", "#f2c230", 4),
      ],
    ],
  ),
];
