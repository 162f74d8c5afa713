import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { hills, meadow, mountain, sea, shadow, snowfield, waves } from "../parts/grounds.ts";
import { SKIN, person, swimmer } from "../parts/people.ts";
import { POSES, type Pose, limb } from "../parts/poses.ts";
import { pine, pineWood } from "../parts/plants.ts";
import { bicycle } from "../parts/road-vehicles.ts";
import { distantBirds, sky, sun } from "../parts/skies.ts";
import { crowd, flag, hurdle, skateboard, skis, surfboard } from "../parts/sports.ts";

const BALANCING: Pose = {
  head: [4, -82],
  shoulders: [2, -67],
  hips: [-4, -38],
  arms: [limb(-16, -66, -30, -74), limb(20, -64, 34, -70)],
  legs: [limb(-18, -22, -20, 0), limb(14, -24, 16, 0)],
};
const SKIING: Pose = {
  head: [16, -74],
  shoulders: [10, -62],
  hips: [-8, -40],
  arms: [limb(18, -46, 30, -44), limb(16, -44, 28, -40)],
  legs: [limb(8, -26, -4, 0), limb(12, -24, 2, 0)],
};

export const sport: readonly Scene[] = [
  scene(
    "skier-slope",
    "A skier races down a snowy mountain slope.",
    ["skiing", "snow", "mountain", "winter sport"],
    () => [
      sky("noon"),
      mountain(110, 260, 320, 190, { rock: "#8b9ab0", shade: "#66758c" }),
      mountain(350, 260, 360, 160, { rock: "#9aa8bc", shade: "#74839a" }),
      path("M0 150C120 210 260 280 480 330V360H0Z", "#f4f9fd"),
      path("M0 200C120 250 260 310 400 360H0Z", "#dfebf5"),
      [
        pine(60, 216, 0.8, true),
        pine(400, 322, 0.9, true),
        pine(446, 340, 1.1, true),
        pine(110, 240, 0.6, true),
      ],
      flag(320, 292, 50, "#d8322b"),
      flag(170, 232, 44, "#3f6fd0"),
      at(
        234,
        276,
        { rotate: 24, scale: 1.4 },
        skis(0, 2, {}),
        person(0, 0, {}, SKIING, {
          shirt: "#f2762e",
          trousers: "#2b3a55",
          hairStyle: "helmet",
          hat: "#f2c230",
          face: "right",
        }),
        stroke("M30 -44L-8 -14M28 -40L-16 -8", "#33373d", 2.4),
      ),
      scatter(4, 26, { x: 120, y: 250, w: 90, h: 40 }, (x, y, random) =>
        circle(x, y, 2 + random() * 7, "#ffffff", { opacity: 0.8 }),
      ),
    ],
  ),
  scene("surfer-wave", "A surfer rides a big curling wave.", ["surfing", "wave", "ocean", "surfer"], () => [
    sky("day"),
    sun(400, 60, 26),
    distantBirds(60, 70),
    sea(170, 3, ["#4fb3cf", "#1d6a9f"]),
    path(
      "M-10 320C60 310 60 120 190 96C280 84 330 130 320 170C300 140 250 140 226 170C200 214 260 290 490 300V370H-10Z",
      downward("#3fa0c4", "#16598a"),
    ),
    path("M190 96C280 84 330 130 320 170C300 140 250 140 226 170C216 150 210 120 190 96Z", "#7fd0e2"),
    stroke("M40 300C90 260 100 170 180 120M90 310C130 270 150 210 200 170", "#ffffff", 3, { opacity: 0.4 }),
    scatter(5, 40, { x: 150, y: 80, w: 180, h: 44 }, (x, y, random) =>
      circle(x, y, 4 + random() * 11, "#ffffff", { opacity: 0.85 }),
    ),
    scatter(9, 18, { x: 290, y: 140, w: 60, h: 70 }, (x, y, random) =>
      circle(x, y, 2 + random() * 6, "#ffffff", { opacity: 0.8 }),
    ),
    at(
      272,
      268,
      { rotate: 12, scale: 1.2 },
      surfboard(0, 4, {}),
      person(0, 0, {}, BALANCING, {
        shirt: "#26282d",
        trousers: "#26282d",
        shorts: true,
        shortSleeves: true,
        skin: SKIN.tan,
        shoes: "#d99f72",
        hair: "#c98a3c",
        face: "right",
      }),
    ),
    waves(326, "#16598a", "#ffffff", 8),
  ]),
  scene(
    "runners-track",
    "Two sprinters race side by side on an athletics track.",
    ["running", "race", "athletics", "track"],
    () => [
      sky("noon"),
      crowd(70, 76),
      rect(0, 144, 480, 30, "#5aa548"),
      rect(0, 172, 480, 188, "#c9563a"),
      repeat(4, (i) => stroke(`M0 ${204 + i * 46}H480`, "#ffffff", 3)),
      shadow(330, 292, 44),
      person(330, 292, { scale: 1.2 }, POSES.running, {
        shirt: "#3f87d8",
        shortSleeves: true,
        shorts: true,
        trousers: "#26324a",
        skin: SKIN.fair,
        hair: "#c98a3c",
        hairStyle: "bun",
        face: "right",
      }),
      shadow(170, 338, 52),
      person(170, 338, { scale: 1.5 }, POSES.running, {
        shirt: "#f2c230",
        shortSleeves: true,
        shorts: true,
        trousers: "#2f7550",
        skin: SKIN.deep,
        face: "right",
      }),
      repeat(4, (i) => stroke(`M${40 + i * 12} ${236 + i * 22}h40`, "#ffffff", 2.4, { opacity: 0.5 })),
    ],
  ),
  scene(
    "hurdle-race",
    "An athlete jumps over a hurdle during a race.",
    ["hurdles", "athletics", "jump", "race"],
    () => [
      sky("morning"),
      hills(170, 10, "#7fb56a"),
      rect(0, 180, 480, 180, "#b84f36"),
      repeat(4, (i) => stroke(`M0 ${214 + i * 46}H480`, "#ffffff", 2.6)),
      [hurdle(100, 250, { scale: 0.9 }), hurdle(420, 250, { scale: 0.9 })],
      hurdle(264, 334, { scale: 1.5 }),
      shadow(230, 338, 50),
      person(
        226,
        286,
        { scale: 1.45, rotate: 10 },
        {
          ...POSES.running,
          legs: [limb(-20, -36, -34, -18), limb(20, -44, 44, -38)],
        },
        {
          shirt: "#7b5aa8",
          shortSleeves: true,
          shorts: true,
          trousers: "#2b2d35",
          skin: SKIN.brown,
          hairStyle: "bun",
          face: "right",
        },
      ),
    ],
  ),
  scene(
    "swimming-race",
    "Swimmers race along the lanes of an indoor pool.",
    ["swimming", "pool", "race", "water"],
    () => [
      rect(0, 0, 480, 110, downward("#dfeef4", "#c3dde8")),
      repeat(8, (i) => rect(10 + i * 60, 16, 48, 60, "#f4fbfd", { round: 3 })),
      rect(0, 96, 480, 18, "#9fb8c4"),
      repeat(4, (i) => [
        rect(0, 114 + i * 62, 480, 62, downward("#4fc0de", "#3aa9cc")),
        repeat(10, (j) =>
          stroke(`M${j * 52 + i * 16} ${140 + i * 62}q14 -7 28 0`, "#ffffff", 2, { opacity: 0.4 }),
        ),
      ]),
      repeat(3, (i) => repeat(24, (j) => circle(j * 21 + 4, 176 + i * 62, 6, j % 2 ? "#e5484d" : "#ffffff"))),
      swimmer(320, 150, { scale: 1.05 }, "#f2c230", SKIN.fair),
      swimmer(240, 212, { scale: 1.1 }, "#e5484d", SKIN.brown),
      swimmer(350, 274, { scale: 1.1 }, "#26282d", SKIN.tan),
      swimmer(200, 338, { scale: 1.15 }, "#5fa46a", SKIN.fair),
    ],
  ),
  scene(
    "skateboarder",
    "A teenager does a trick on a skateboard in a skate park.",
    ["skateboard", "trick", "skate park", "teenager"],
    () => [
      sky("sunset"),
      hills(200, 8, "#5b4a6b"),
      rect(0, 210, 480, 150, downward("#a9a5a8", "#85818a")),
      path("M300 330C380 330 420 280 440 200H490V340H300Z", "#8f8b95"),
      path("M180 330C100 330 50 290 30 210H-10V340H180Z", "#98949e"),
      stroke("M440 200H490M-10 210H30", "#f2c230", 5),
      shadow(240, 336, 44),
      at(
        244,
        262,
        { rotate: -14, scale: 1.4 },
        person(0, -10, {}, BALANCING, {
          shirt: "#3f87d8",
          trousers: "#39465a",
          hairStyle: "beanie",
          hat: "#e5484d",
          face: "right",
          skin: SKIN.tan,
        }),
        skateboard(-2, 10, { rotate: -8 }),
      ),
      stroke("M196 300q10 10 24 12M286 306q-10 10 -20 12", "#ffffff", 2.4, { opacity: 0.6 }),
    ],
  ),
  scene(
    "yoga-sunrise",
    "A woman practises yoga on a mat at sunrise.",
    ["yoga", "sunrise", "exercise", "calm"],
    () => [
      rect(0, 0, 480, 360, downward("#f6a98a", "#fbd7a8", "#fdeccf")),
      sun(240, 200, 60, "#fff0b8"),
      hills(230, 16, "#c98f8a", 1),
      hills(256, 12, "#9a8f7a", 2.4),
      meadow(270, 5, ["#a9c27a", "#7fa35c"]),
      polygon("130,330 350,330 330,306 150,306", "#7b5aa8"),
      person(
        240,
        322,
        { scale: 1.45 },
        {
          ...POSES.standing,
          arms: [limb(-14, -96, -3, -118), limb(14, -96, 3, -118)],
          legs: [limb(-4, -23, -3, 0), limb(18, -34, 4, -26)],
        },
        {
          shirt: "#5fa4a0",
          trousers: "#2f4a5f",
          hairStyle: "bun",
          hair: "#4a2a1a",
          shoes: SKIN.tan,
          skin: SKIN.tan,
          shortSleeves: true,
        },
      ),
    ],
  ),
  scene(
    "climbing-wall",
    "A climber scales an indoor wall with colourful holds.",
    ["climbing", "wall", "rope", "strength"],
    () => [
      polygon("0,0 480,0 480,360 0,360", "#d9cfc0"),
      [
        polygon("0,0 200,0 150,360 0,360", "#c9bda9"),
        polygon("480,0 360,0 330,200 400,360 480,360", "#e6ddd0"),
      ],
      scatter(6, 44, { x: 10, y: 10, w: 460, h: 330 }, (x, y, random) =>
        ellipse(
          x,
          y,
          9 + random() * 9,
          7 + random() * 6,
          ["#e5484d", "#3f87d8", "#f2c230", "#5fa46a", "#b06bd0", "#f2762e"][
            Math.floor(random() * 6)
          ] as string,
          { rotate: random() * 90 },
        ),
      ),
      stroke("M248 0V190", "#33373d", 3),
      person(
        244,
        290,
        { scale: 1.5 },
        {
          ...POSES.standing,
          arms: [limb(-20, -88, -22, -110), limb(18, -82, 30, -100)],
          legs: [limb(-20, -36, -14, -10), limb(14, -22, 20, 2)],
        },
        {
          shirt: "#f2762e",
          shortSleeves: true,
          trousers: "#39465a",
          face: "none",
          hair: "#4a2a1a",
          hairStyle: "bun",
        },
      ),
      [
        ellipse(212, 124, 14, 10, "#e5484d"),
        ellipse(290, 138, 15, 10, "#3f87d8"),
        ellipse(226, 276, 14, 9, "#f2c230"),
        ellipse(276, 298, 15, 9, "#5fa46a"),
      ],
    ],
  ),
  scene(
    "ice-skating",
    "Two people ice skate hand in hand on a frozen lake.",
    ["ice skating", "frozen lake", "winter", "couple"],
    () => [
      sky("snow"),
      pineWood(4, 190, ["#6f8f9a", "#5f7f8c"], 0.9, true),
      snowfield(190),
      ellipse(240, 306, 260, 74, "#cfe6f2"),
      stroke("M60 300Q200 270 420 310M100 330Q240 300 400 336M140 288Q260 300 340 282", "#ffffff", 2, {
        opacity: 0.8,
      }),
      [shadow(190, 330, 30, 5, 0.15), shadow(276, 330, 30, 5, 0.15)],
      person(
        190,
        330,
        { scale: 1.35 },
        {
          ...POSES.walking,
          arms: [limb(-12, -62, -18, -50), limb(18, -64, 30, -58)],
        },
        { shirt: "#c9403f", trousers: "#33406b", hairStyle: "beanie", hat: "#c9403f", shoes: "#f4f6f8" },
      ),
      person(
        276,
        330,
        { scale: 1.3 },
        {
          ...POSES.walking,
          arms: [limb(-18, -64, -30, -58), limb(14, -70, 28, -76)],
        },
        { shirt: "#4f86a8", skirt: "#4f86a8", hairStyle: "long", hair: "#7a4a24", shoes: "#f4f6f8" },
      ),
      stroke("M168 332h26M206 332h26M254 332h26M290 332h26", "#8f9aa5", 2.4),
    ],
  ),
  scene(
    "cycling-race",
    "Professional cyclists sprint in a road race.",
    ["cycling", "race", "bicycles", "sport"],
    () => [
      sky("day"),
      hills(180, 18, "#e0c95c", 1),
      hills(210, 14, "#8cc26b", 2.6),
      rect(0, 240, 480, 120, "#5a5f68"),
      stroke("M0 340H480", "#ffffff", 4, { dash: "34 26" }),
      [0, 1, 2].map((i) => {
        const colours = ["#f2c230", "#e5484d", "#3f87d8"];
        const [x, y, s] = [96 + i * 140, 322 - (i % 2) * 18, 1.02];
        return [
          shadow(x, y, 66),
          bicycle(x, y, { scale: s }, colours[(i + 1) % 3] as string),
          person(
            x - 12,
            y - 12,
            { scale: 0.95 },
            {
              ...POSES.sitting,
              shoulders: [16, -64],
              head: [28, -74],
              arms: [limb(28, -52, 38, -46), limb(26, -50, 38, -44)],
              legs: [limb(16, -22, 4, 8), limb(20, -34, 14, -12)],
            },
            {
              shirt: colours[i] as string,
              trousers: "#26282d",
              shorts: true,
              shortSleeves: true,
              hairStyle: "helmet",
              hat: colours[i] as string,
              face: "right",
              skin: [SKIN.fair, SKIN.brown, SKIN.tan][i] as string,
            },
          ),
        ];
      }),
    ],
  ),
];
