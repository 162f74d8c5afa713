import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, polygon, rect, stroke, type Drawing } from "../drawing/svg.ts";
import { bench, house, logCabin } from "../parts/buildings.ts";
import { beach, glitter, ground, hills, mountain, sea, shadow } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { autumnTree, bareTree, bush, leafLitter, leafyTree, palm, pine, pineWood } from "../parts/plants.ts";
import { cloud, distantBirds, rainbow, sky, snowfall, stars, sun } from "../parts/skies.ts";

/** A curtain of light that hangs from the sky. */
function aurora(top: number, height: number, colour: string, phase: number): Drawing {
  return repeat(60, (i) => {
    const x = i * 8.4 - 12;
    const y = top + 34 * Math.sin(x / 90 + phase) + 14 * Math.sin(x / 31 + phase * 2);
    const h = height * (0.7 + 0.3 * Math.sin(x / 23 + phase * 3));
    return rect(x, y, 12, h, fade(colour, 0.02 + 0.4 * (0.6 + 0.4 * Math.sin(x / 17)), 0, 90), { round: 6 });
  });
}

export const weather: readonly Scene[] = [
  scene(
    "rainbow-fields",
    "A rainbow arches over green fields after the rain.",
    ["rainbow", "fields", "countryside", "after rain"],
    () => [
      rect(0, 0, 480, 360, downward("#8fa9bd", "#cfe0e8", "#f4f3e4")),
      rainbow(230, 250, 210),
      cloud(70, 70, 1.4, "#e9eef2"),
      cloud(400, 60, 1.2, "#dde4ea"),
      hills(226, 14, "#a9d47f", 0.8),
      hills(256, 18, "#84c163", 2.6),
      house(350, 256, { scale: 0.7 }),
      [leafyTree(100, 262, 0.8), leafyTree(130, 266, 0.6)],
      hills(304, 12, "#63a84c", 4),
      repeat(8, (i) =>
        stroke(`M${i * 64 - 20} 360Q${i * 62 + 20} 330 ${i * 56 + 70} 306`, "#4f9140", 2, { opacity: 0.5 }),
      ),
    ],
  ),
  scene(
    "foggy-forest",
    "Thick fog drifts through a dark pine forest.",
    ["fog", "forest", "mist", "pine trees"],
    () => [
      rect(0, 0, 480, 360, downward("#b5c2c4", "#dfe5e2")),
      pineWood(2, 190, ["#a3b4b4", "#97aaaa"], 1.5),
      rect(0, 100, 480, 140, fade("#e6ebe8", 0.1, 0.9)),
      pineWood(7, 280, ["#6f8a85", "#617d78"], 1.5),
      rect(0, 150, 480, 150, fade("#e6ebe8", 0, 0.95)),
      rect(0, 299, 480, 61, "#e6ebe8"),
      pineWood(11, 410, ["#33524b", "#2a4640"], 1.7),
      rect(0, 230, 480, 130, fade("#e9eeeb", 0, 0.85)),
      distantBirds(210, 60, "#5f7370"),
    ],
  ),
  scene(
    "beach-sunset",
    "The sun sets over the sea and colours the beach orange.",
    ["sunset", "beach", "sea", "evening"],
    () => [
      sky("sunset"),
      sun(240, 200, 44, "#ffdf9a"),
      repeat(5, (i) => ellipse(100 + i * 80, 110 + (i % 3) * 26, 70, 6, "#f9b37a", { opacity: 0.5 })),
      sea(204, 4, ["#c96a6f", "#5b4a7a"]),
      glitter(240, 210, 3, "#ffe3a8"),
      at(0, 0, { opacity: 0.9 }, beach(300, 3)),
      rect(0, 290, 480, 70, fade("#6b3a5a", 0.35, 0.1)),
      palm(60, 340, 2.1, 40),
      palm(20, 350, 1.6, 20),
    ],
  ),
  scene("kites-wind", "Children fly kites on a windy hill.", ["kite", "wind", "children", "hill"], () => [
    sky("day"),
    cloud(80, 70, 1.1),
    cloud(300, 130, 0.9),
    hills(250, 20, "#a9d47f", 1),
    hills(284, 14, "#7cbc5a", 3),
    at(
      350,
      80,
      { rotate: 18 },
      polygon("0,-44 30,0 0,56 -30,0", "#e5484d"),
      polygon("0,-44 30,0 0,0", "#f2b92e"),
      polygon("0,56 -30,0 0,0", "#3f87d8"),
      stroke("M0 56q14 16 0 30t0 30", "#7a5230", 2),
      [polygon("-2,80 10,74 10,90", "#f2b92e"), polygon("-2,108 -14,102 -14,116", "#e5484d")],
    ),
    at(
      180,
      70,
      { rotate: -10, scale: 0.8 },
      polygon("0,-44 30,0 0,56 -30,0", "#5fa46a"),
      polygon("0,-44 -30,0 0,0", "#b06bd0"),
      stroke("M0 56q14 16 0 30t0 30", "#7a5230", 2),
    ),
    stroke("M346 130Q310 230 282 260M182 112Q150 200 128 264", "#ffffff", 1.6),
    person(
      268,
      332,
      { scale: 1.1 },
      {
        ...POSES.standing,
        arms: [limb(-13, -62, -14, -47), limb(14, -78, 12, -66)],
      },
      { shirt: "#f2762e", shorts: true, shortSleeves: true, hairStyle: "cap", hat: "#3f6fd0" },
    ),
    person(
      116,
      336,
      { scale: 1.05 },
      {
        ...POSES.running,
        arms: [limb(18, -72, 12, -66), limb(-12, -64, -16, -48)],
      },
      {
        shirt: "#f27aa0",
        skirt: "#7b5aa8",
        hairStyle: "long",
        hair: "#3a2a20",
        skin: SKIN.brown,
        face: "right",
      },
    ),
    repeat(4, (i) =>
      stroke(`M${20 + i * 110} ${190 + (i % 2) * 24}q20 -10 40 0t40 -4`, "#ffffff", 3, { opacity: 0.7 }),
    ),
  ]),
  scene(
    "autumn-park",
    "Red and orange leaves cover a park path lined with benches.",
    ["autumn", "leaves", "park", "bench", "fall"],
    () => [
      rect(0, 0, 480, 360, downward("#f6dcae", "#fdf1d8")),
      [
        autumnTree(50, 240, 1.6),
        autumnTree(180, 224, 1.1),
        autumnTree(310, 224, 1.2),
        autumnTree(440, 242, 1.7),
      ],
      ground(222, "#c99a4a", "#a8743a"),
      polygon("220,222 262,222 400,360 60,360", "#d9c3a0"),
      leafLitter(4, 120, { x: 0, y: 230, w: 480, h: 126 }),
      bench(110, 300, { scale: 0.95 }),
      bench(392, 306, { scale: 1, flip: true }),
      leafLitter(9, 22, { x: 20, y: 30, w: 440, h: 180 }),
    ],
  ),
  scene(
    "northern-lights",
    "Green northern lights dance above a snow-covered cabin.",
    ["aurora", "northern lights", "cabin", "night", "snow"],
    () => [
      sky("deepNight"),
      stars(11, 110, 240),
      aurora(60, 190, "#3fe6a0", 0.9),
      aurora(20, 150, "#7f8bf5", 2.6),
      mountain(90, 276, 260, 110, { rock: "#24365a", shade: "#16233f", snow: "#c9dbea" }),
      mountain(390, 276, 280, 130, { rock: "#2a3c62", shade: "#1a2846", snow: "#c9dbea" }),
      hills(282, 10, downward("#dbe8f4", "#9fb6cf"), 1.4),
      [
        pine(60, 320, 1, true, "#1f4a44"),
        pine(100, 330, 0.8, true, "#1f4a44"),
        pine(430, 326, 1.1, true, "#1f4a44"),
      ],
      logCabin(260, 326, { scale: 0.95 }),
      ellipse(260, 336, 110, 10, "#ffd978", { opacity: 0.2 }),
    ],
  ),
  scene(
    "cracked-drought",
    "Cracked dry earth stretches to the horizon under a blazing sun.",
    ["drought", "desert", "heat", "dry"],
    () => [
      rect(0, 0, 480, 360, downward("#f2b25c", "#fbe3b0")),
      sun(240, 90, 44, "#fff6c9"),
      ground(196, "#d99a5c", "#b5703a"),
      repeat(6, (r) => {
        const y = 200 + r * r * 4.6;
        return [
          stroke(
            `M0 ${y + 6}${Array.from({ length: 12 }, (_, i) => `L${i * 44 + 20} ${y + ((i + r) % 2) * (6 + r * 3)}`).join("")}`,
            "#7a4a28",
            1.4 + r * 0.5,
          ),
          repeat(9, (i) =>
            stroke(
              `M${i * 58 + (r % 2) * 26} ${y + 3}l${(i - 4) * (2 + r)} ${14 + r * 9}`,
              "#7a4a28",
              1.4 + r * 0.5,
            ),
          ),
        ];
      }),
      bareTree(390, 300, 1.8, "#4a3324"),
      [
        stroke("M70 330C60 320 60 306 74 302C90 300 110 312 132 306L152 300", "#f4ead6", 8),
        circle(66, 314, 15, "#f4ead6"),
        circle(60, 312, 4, "#7a5a40"),
        circle(72, 312, 4, "#7a5a40"),
        stroke("M90 300v16M104 304v14M118 304v12", "#f4ead6", 4),
      ],
    ],
  ),
  scene(
    "snowman-garden",
    "A snowman with a carrot nose stands in front of a house.",
    ["snowman", "winter", "carrot", "garden"],
    () => [
      sky("snow"),
      house(110, 262, { scale: 1.5 }, { snow: true, window: "#ffe1a0", wall: "#c97b63" }),
      [pine(420, 270, 1.5, true), pine(370, 264, 1.1, true), bush(230, 264, 1, ["#dbe8f2", "#eef5fa"])],
      hills(264, 8, downward("#e6eff7", "#b9cee0"), 1.2),
      shadow(290, 338, 60, 9, 0.15),
      circle(290, 296, 44, downward("#ffffff", "#dbe7f1")),
      circle(290, 228, 33, downward("#ffffff", "#e3edf5")),
      circle(290, 174, 25, downward("#ffffff", "#eaf2f8")),
      [
        circle(282, 168, 3.4, "#26282d"),
        circle(299, 168, 3.4, "#26282d"),
        polygon("290,174 326,182 290,183", "#f2762e"),
        stroke("M280 188q10 8 20 0", "#26282d", 2.6),
      ],
      [circle(291, 222, 3.6, "#26282d"), circle(291, 240, 3.6, "#26282d"), circle(291, 284, 4, "#26282d")],
      stroke("M258 224L210 196M222 203l-6 -16M322 224L370 190M356 200l10 -14", "#6b4a34", 5),
      [
        rect(258, 146, 64, 8, "#2b2d35", { round: 3 }),
        rect(269, 112, 42, 38, "#2b2d35"),
        rect(269, 138, 42, 8, "#c9302c"),
      ],
      [stroke("M264 200Q290 214 316 200", "#c9302c", 11), stroke("M310 204L318 244", "#c9302c", 11)],
      snowfall(7, 90),
    ],
  ),
];
