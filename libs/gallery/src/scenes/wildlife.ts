import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke, type Drawing } from "../drawing/svg.ts";
import { bear, penguin } from "../parts/forest-animals.ts";
import { ground, hills, mountain, sand, sea, shadow, snowfield } from "../parts/grounds.ts";
import { bush, cactus, grassTuft, leafyTree, palm, pineWood } from "../parts/plants.ts";
import { pyramid } from "../parts/buildings.ts";
import {
  camel,
  crocodile,
  elephant,
  flamingo,
  giraffe,
  kangaroo,
  lion,
  zebra,
} from "../parts/savanna-animals.ts";
import { fish } from "../parts/sea-life.ts";
import { sky, snowfall, sun } from "../parts/skies.ts";

function acacia(x: number, y: number, scale: number): Drawing {
  return at(
    x,
    y,
    { scale },
    stroke("M0 0C2 -30 -2 -44 -14 -70M0 -34C8 -50 16 -58 26 -70M-6 -52L-32 -70", "#5f4630", 6),
    ellipse(0, -76, 62, 14, "#6f8a3f"),
    ellipse(-18, -84, 34, 10, "#85a04d"),
    ellipse(26, -82, 28, 9, "#7b9646"),
  );
}

const savanna = (): Drawing => [
  sky("desert"),
  sun(390, 84, 32),
  hills(216, 10, "#c9a95c", 0.5),
  [acacia(80, 236, 1), acacia(430, 232, 0.7)],
  ground(230, "#dcb964", "#b38c3f"),
  repeat(9, (i) => grassTuft(14 + i * 58, 350 - (i % 4) * 26, 0.8, "#a58436")),
];

export const wildlife: readonly Scene[] = [
  scene(
    "elephant-calf",
    "An elephant and her calf walk across the dry savanna.",
    ["elephant", "calf", "africa", "savanna"],
    () => [
      savanna(),
      shadow(190, 324, 104),
      elephant(186, 324, { scale: 1.35 }),
      shadow(380, 334, 48),
      elephant(370, 334, { scale: 0.6 }, "#9aa1ab"),
    ],
  ),
  scene(
    "giraffe-acacia",
    "A giraffe stretches its long neck to eat leaves from a tree.",
    ["giraffe", "tall", "africa", "leaves"],
    () => [savanna(), acacia(352, 300, 1.9), shadow(190, 330, 60), giraffe(180, 330, { scale: 1.2 })],
  ),
  scene(
    "zebra-herd",
    "A herd of striped zebras gathers on the plain.",
    ["zebra", "herd", "stripes", "africa"],
    () => [
      savanna(),
      zebra(390, 264, { scale: 0.7, flip: true }),
      zebra(250, 258, { scale: 0.65 }),
      shadow(130, 326, 66),
      zebra(128, 326, { scale: 1.2 }),
      shadow(350, 338, 66),
      zebra(340, 338, { scale: 1.15, flip: true }),
    ],
  ),
  scene(
    "lion-rock",
    "A lion with a thick mane rests on a flat rock in the sun.",
    ["lion", "big cat", "rock", "predator"],
    () => [
      savanna(),
      path("M60 360L84 270C120 246 360 244 410 262L450 360Z", "#9a7f5c"),
      path("M84 270C120 246 360 244 410 262C380 280 130 286 84 270Z", "#bfa27a"),
      lion(240, 266, { scale: 1.5 }, true),
    ],
  ),
  scene(
    "bear-river",
    "A brown bear fishes for salmon in a mountain river.",
    ["bear", "river", "salmon", "fishing"],
    () => [
      sky("day"),
      mountain(110, 190, 300, 140, { rock: "#8f9cae", shade: "#6d7a8e" }),
      mountain(360, 190, 330, 110, { rock: "#9fabba", shade: "#7a879a" }),
      pineWood(4, 200, ["#2f6b4f", "#3a7a5b", "#27583f"], 0.7),
      ground(196, "#6a9a5b"),
      rect(0, 214, 480, 146, downward("#7fc0dc", "#3f86b0")),
      repeat(14, (i) =>
        stroke(`M${(i * 67) % 460} ${230 + ((i * 29) % 120)}q20 -7 40 0t40 0`, "#ffffff", 2, {
          opacity: 0.55,
        }),
      ),
      [
        ellipse(70, 330, 60, 20, "#7c7f86"),
        ellipse(420, 250, 46, 14, "#8b8e95"),
        ellipse(452, 344, 60, 20, "#6f7279"),
      ],
      bear(190, 306, { scale: 1.5 }),
      ellipse(190, 308, 110, 12, "#cfe9f4", { opacity: 0.8 }),
      at(362, 236, { rotate: -58 }, fish(0, 0, { scale: 1.1 }, "#f08a6a", "#f5a58a")),
      repeat(5, (i) => circle(344 + i * 9, 276 - (i % 3) * 10, 3, "#ffffff", { opacity: 0.8 })),
    ],
  ),
  scene(
    "polar-bear-ice",
    "A polar bear stands on drifting ice in the Arctic sea.",
    ["polar bear", "ice", "arctic", "cold"],
    () => [
      rect(0, 0, 480, 360, downward("#a9cfe6", "#e6f2f8")),
      [
        polygon("20,190 70,130 120,150 170,190", "#eef6fb"),
        polygon("70,130 120,150 108,190 84,190", "#cfe3f0"),
        polygon("330,190 390,140 440,190", "#f4f9fd"),
        polygon("390,140 440,190 400,190", "#d5e6f2"),
      ],
      sea(186, 4, ["#6fb0cf", "#2f6f9c"]),
      path("M60 300L110 268H390L430 296L400 326H100Z", "#f6fbfe"),
      path("M60 300L100 326H400L430 296L424 318L398 346H106L66 322Z", "#b5d3e6"),
      path("M300 230L350 222L384 236L360 248L312 246Z", "#f4f9fd"),
      shadow(230, 298, 90, 9, 0.15),
      bear(226, 298, { scale: 1.4 }, "#f6f2e6", "#d8d6cc", "#fffdf4"),
    ],
  ),
  scene(
    "penguin-family",
    "A family of penguins huddles together on the snow.",
    ["penguin", "snow", "antarctica", "birds"],
    () => [
      sky("snow"),
      [
        polygon("-20,230 80,120 160,190 230,230", "#dcebf5"),
        polygon("80,120 160,190 120,230 90,230", "#bdd5e6"),
        polygon("280,230 380,140 500,230", "#e4f0f8"),
        polygon("380,140 500,230 420,230", "#c6dbea"),
      ],
      snowfield(228),
      [shadow(150, 318, 34, 6, 0.15), shadow(310, 318, 36, 6, 0.15), shadow(232, 328, 22, 5, 0.15)],
      penguin(80, 286, { scale: 1 }),
      penguin(400, 284, { scale: 0.95 }),
      penguin(150, 318, { scale: 1.7 }),
      penguin(312, 318, { scale: 1.75 }),
      penguin(232, 328, { scale: 0.95 }, true),
      snowfall(6, 60),
    ],
  ),
  scene(
    "flamingos-lagoon",
    "Pink flamingos wade on thin legs in a shallow lagoon.",
    ["flamingo", "birds", "pink", "lagoon"],
    () => [
      rect(0, 0, 480, 360, downward("#f6b9a0", "#fbe3c8")),
      sun(360, 130, 34, "#fff0c0"),
      hills(166, 10, "#b58a8f", 2),
      rect(0, 178, 480, 182, downward("#f2c3b0", "#7fb3bd")),
      repeat(16, (i) =>
        stroke(`M${(i * 83) % 440} ${196 + ((i * 37) % 150)}h${30 + (i % 3) * 22}`, "#ffffff", 1.6, {
          opacity: 0.4,
        }),
      ),
      [
        flamingo(90, 246, { scale: 0.85 }),
        flamingo(330, 240, { scale: 0.8, flip: true }),
        flamingo(410, 256, { scale: 0.9 }),
      ],
      [flamingo(160, 326, { scale: 1.5 }), flamingo(270, 334, { scale: 1.4, flip: true })],
      [
        ellipse(160, 328, 26, 4, "#ffffff", { opacity: 0.5 }),
        ellipse(270, 336, 26, 4, "#ffffff", { opacity: 0.5 }),
      ],
    ],
  ),
  scene(
    "camel-dunes",
    "A saddled camel crosses the desert near ancient pyramids.",
    ["camel", "desert", "pyramid", "sand"],
    () => [
      sky("desert"),
      sun(410, 70, 30),
      [pyramid(120, 226, 180, 108), pyramid(270, 226, 120, 72)],
      hills(226, 12, "#e6c17a", 0.3),
      sand(246, 5, ["#edcf92", "#cf9f58"]),
      hills(296, 16, "#d9ae66", 2.4),
      shadow(270, 330, 74),
      camel(262, 330, { scale: 1.3 }),
    ],
  ),
  scene(
    "kangaroo-outback",
    "A kangaroo carries a joey in her pouch across the red outback.",
    ["kangaroo", "joey", "australia", "outback"],
    () => [
      rect(0, 0, 480, 360, downward("#6fb9dd", "#f6dfb8")),
      path("M40 222C60 168 130 160 200 162C290 160 350 172 376 222Z", "#b5573a"),
      path("M40 222C60 190 130 200 200 190C290 196 350 200 376 222Z", "#9a452d"),
      ground(218, "#cf7a48", "#a8552f"),
      repeat(9, (i) => grassTuft(20 + i * 56, 250 + ((i * 41) % 100), 0.8, "#b9a04f")),
      [bush(420, 250, 1, ["#7a8a4a", "#90a05a"]), bush(60, 262, 0.8, ["#7a8a4a", "#90a05a"])],
      shadow(230, 328, 70),
      kangaroo(250, 328, { scale: 1.75 }),
    ],
  ),
  scene(
    "crocodile-river",
    "A crocodile lies in wait on a muddy river bank.",
    ["crocodile", "river", "reptile", "danger"],
    () => [
      rect(0, 0, 480, 360, downward("#7fae7a", "#b9cf94")),
      [
        leafyTree(50, 170, 1.7, ["#2f6b3f", "#3f7f4a", "#57964f"]),
        leafyTree(200, 160, 1.5, ["#2f6b3f", "#3f7f4a", "#57964f"]),
        palm(340, 174, 1.5),
        leafyTree(440, 170, 1.7, ["#2f6b3f", "#3f7f4a", "#57964f"]),
      ],
      sea(160, 2, ["#6f9a7a", "#3f6b57"]),
      path("M0 360V280C100 250 300 262 480 286V360Z", "#8f6f48"),
      path("M0 288C100 258 300 270 480 294V286C300 262 100 250 0 280Z", "#6b5233"),
      shadow(240, 320, 150),
      crocodile(236, 318, { scale: 1.6 }),
      repeat(4, (i) => grassTuft(30 + i * 140, 352, 1.1, "#5b8a3d")),
    ],
  ),
  scene(
    "vulture-canyon",
    "A hungry vulture circles above cactuses in a stony canyon.",
    ["cactus", "canyon", "vulture", "dry"],
    () => [
      rect(0, 0, 480, 360, downward("#f2a75c", "#fbe0a8")),
      sun(120, 90, 36, "#fff0b0"),
      [
        polygon("-10,250 -10,120 60,112 80,160 110,170 120,250", "#b5573a"),
        polygon("490,250 490,96 400,104 384,150 350,166 336,250", "#a34a30"),
        polygon("180,250 190,176 270,172 284,250", "#c46a45"),
      ],
      repeat(3, (i) =>
        stroke(
          `M-10 ${150 + i * 30}L${76 + i * 14} ${156 + i * 30}M490 ${140 + i * 34}L${380 - i * 14} ${150 + i * 32}`,
          "#8a3c26",
          3,
          { opacity: 0.5 },
        ),
      ),
      sand(246, 3, ["#e6b06a", "#c98a48"]),
      [cactus(110, 330, 1.5), cactus(372, 316, 1.15), cactus(250, 282, 0.6)],
      path(
        "M230 92C200 66 160 66 138 84C170 82 200 92 222 108L240 118L258 108C280 92 310 82 342 84C320 66 280 66 250 92L240 86Z",
        "#3a2a26",
      ),
      circle(240, 90, 6, "#d98a7a"),
      [ellipse(60, 344, 20, 7, "#a8703f"), ellipse(430, 346, 26, 8, "#a8703f")],
    ],
  ),
];
