import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, rect, stroke } from "../drawing/svg.ts";
import { church, house, lampPost, skyline } from "../parts/buildings.ts";
import { ground, hills, road, snowfield } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { pineWood } from "../parts/plants.ts";
import { cloudBank, lightning, rain, sky, snowfall } from "../parts/skies.ts";

export const storms: readonly Scene[] = [
  scene(
    "thunderstorm-city",
    "Lightning strikes behind tall buildings during a thunderstorm.",
    ["thunderstorm", "lightning", "city", "night"],
    () => [
      rect(0, 0, 480, 360, downward("#1a1f36", "#3a3f63", "#5b5a80")),
      lightning(330, 70, 1.7),
      lightning(120, 84, 1.1),
      skyline(9, 330, ["#151a2e", "#1c2238", "#10142a"], "#ffd978", 190),
      rect(0, 326, 480, 34, "#0d1122"),
      cloudBank(4, ["#2b3050", "#363c60", "#222744"], 80),
      rain(5, 140),
    ],
  ),
  scene(
    "blizzard-village",
    "Heavy snow falls on a little village with a church.",
    ["snow", "village", "church", "winter", "blizzard"],
    () => [
      rect(0, 0, 480, 360, downward("#6f7f98", "#b9c6d6")),
      hills(200, 30, "#9fb0c4", 0.5),
      pineWood(6, 226, ["#5f7787", "#4f6878"], 0.8, true),
      snowfield(228),
      church(240, 282, { scale: 1.05 }),
      [
        house(90, 300, { scale: 1 }, { snow: true, window: "#ffd978", wall: "#c99a7a" }),
        house(390, 296, { scale: 1.05 }, { snow: true, window: "#ffd978", wall: "#a97f6f" }),
      ],
      hills(330, 8, "#f4f9fd", 1.9),
      lampPost(170, 330, { scale: 0.9 }, true),
      snowfall(3, 190),
    ],
  ),
  scene(
    "tornado-plain",
    "A tornado sweeps across the open plain towards a lonely farm.",
    ["tornado", "storm", "farm", "danger"],
    () => [
      rect(0, 0, 480, 360, downward("#3f4a4a", "#7f8a78", "#b9b58f")),
      cloudBank(6, ["#4a5553", "#5b6663", "#3b4644"], 60),
      path(
        "M180 60C240 90 340 90 400 60C390 110 360 120 350 160C344 200 330 230 320 276C316 290 300 290 296 276C290 230 270 200 254 160C240 120 196 110 180 60Z",
        downward("#6b7472", "#8a8f84"),
      ),
      repeat(8, (i) =>
        stroke(
          `M${196 + i * 13} ${84 + i * 24}Q${290 + i * 3} ${100 + i * 24} ${384 - i * 9} ${80 + i * 24}`,
          "#4f5856",
          3,
          { opacity: 0.6 },
        ),
      ),
      ground(274, "#a9a45c", "#7a7a3f"),
      scatter(4, 24, { x: 260, y: 252, w: 100, h: 34 }, (x, y, random) =>
        ellipse(x, y, 8 + random() * 12, 6, "#8a7a5c", { opacity: 0.7 }),
      ),
      scatter(8, 9, { x: 220, y: 150, w: 200, h: 100 }, (x, y, random) =>
        rect(x, y, 9, 4, "#4a3a2a", { rotate: random() * 180 }),
      ),
      house(100, 300, { scale: 0.95 }, { wall: "#e9e2d6", roof: "#7a4038" }),
      stroke("M0 320q40 -6 80 0t80 0t80 0t80 0t80 0t80 0", "#6b6b35", 3),
      repeat(12, (i) => stroke(`M${8 + i * 42} 344q8 -14 22 -16`, "#8a8a48", 3)),
    ],
  ),
  scene(
    "umbrellas-rain",
    "People with bright umbrellas hurry through the rain.",
    ["umbrella", "rain", "people", "street"],
    () => [
      sky("overcast"),
      skyline(12, 262, ["#8b95a3", "#98a2af", "#7d8896"], undefined, 180),
      rect(0, 258, 480, 102, downward("#8f979f", "#717a84")),
      [96, 236, 378].map((x, i) => {
        const colour = ["#e5484d", "#f2c230", "#3f87d8"][i] as string;
        return [
          ellipse(x, 342 - (i % 2) * 10, 44, 7, colour, { opacity: 0.3 }),
          person(
            x,
            338 - (i % 2) * 10,
            { scale: 1.25, flip: i === 1 },
            {
              ...POSES.walking,
              arms: [limb(8, -62, 16, -52), limb(12, -70, 14, -88)],
            },
            {
              shirt: ["#4b5a6b", "#7a4a5f", "#5f7a5a"][i] as string,
              trousers: "#2f3846",
              hairStyle: i === 1 ? "long" : "short",
              hair: "#3a2a20",
              skin: [SKIN.fair, SKIN.tan, SKIN.deep][i] as string,
              face: "right",
            },
          ),
          stroke(`M${x + (i === 1 ? -18 : 18)} ${228 - (i % 2) * 10}V${166 - (i % 2) * 10}`, "#33373d", 3),
          path(
            `M${x - 52} ${196 - (i % 2) * 10}C${x - 46} 130 ${x + 56} 130 ${x + 62} ${196 - (i % 2) * 10}Q${x + 43} ${184 - (i % 2) * 10} ${x + 24} ${196 - (i % 2) * 10}Q${x + 5} ${184 - (i % 2) * 10} ${x - 14} ${196 - (i % 2) * 10}Q${x - 33} ${184 - (i % 2) * 10} ${x - 52} ${196 - (i % 2) * 10}Z`,
            colour,
          ),
        ];
      }),
      rain(8, 150),
    ],
  ),
  scene(
    "flooded-street",
    "A red car splashes through deep water on a flooded road.",
    ["flood", "puddle", "road", "storm"],
    () => [
      sky("storm"),
      cloudBank(9, ["#3f4a57", "#515d6a", "#35404c"], 50),
      [
        house(80, 236, { scale: 1.2 }, { wall: "#a99f92", roof: "#5b4a4a" }),
        house(250, 236, { scale: 1.25 }, { wall: "#9aa0a4", roof: "#4f4a55" }),
        house(410, 236, { scale: 1.2 }, { wall: "#b0a08f", roof: "#5a4540" }),
      ],
      road(232, 128, { tar: "#4a525b", line: "#9aa5ad" }),
      path("M-10 290Q120 268 250 282T490 276V360H-10Z", downward("#7f98a8", "#5b7485")),
      at(
        230,
        318,
        { scale: 1.3 },
        path(
          "M-64 -12V-26C-62 -32 -48 -33 -40 -34L-22 -52C-18 -55 20 -56 26 -52L42 -34C54 -33 63 -30 64 -24V-12Z",
          "#c9403f",
        ),
        path("M-34 -34L-19 -48H-2V-34ZM3 -34V-48H22L35 -34Z", "#cfe3ee"),
        circle(60, -24, 4, "#fff3c4"),
      ),
      path("M120 306Q230 292 340 306V330H120Z", "#6f8898"),
      [
        scatter(3, 26, { x: 310, y: 266, w: 70, h: 46 }, (x, y, random) =>
          circle(x, y, 2 + random() * 6, "#dfeaf1", { opacity: 0.8 }),
        ),
        scatter(7, 20, { x: 90, y: 276, w: 50, h: 34 }, (x, y, random) =>
          circle(x, y, 2 + random() * 5, "#dfeaf1", { opacity: 0.8 }),
        ),
      ],
      repeat(9, (i) =>
        ellipse(30 + i * 54, 340 - (i % 3) * 14, 20, 4, "none", {
          stroke: "#b9cbd6",
          width: 1.4,
          opacity: 0.7,
        }),
      ),
      rain(14, 160),
    ],
  ),
];
