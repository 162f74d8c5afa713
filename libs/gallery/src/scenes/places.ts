import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { circle, downward, ellipse, path, polygon, rect } from "../drawing/svg.ts";
import { castle, church, house, igloo, logCabin, pagoda, pyramid, windmill } from "../parts/buildings.ts";

import { flowers, ground, hills, meadow, mountain, sand, shadow, snowfield } from "../parts/grounds.ts";

import { SKIN, person } from "../parts/people.ts";
import { POSES } from "../parts/poses.ts";
import { blossomTree, bush, leafyTree, palm, pine, pineWood, tulip } from "../parts/plants.ts";
import { cloud, distantBirds, moon, sky, stars, sun } from "../parts/skies.ts";

export const places: readonly Scene[] = [
  scene(
    "castle-hill",
    "A medieval castle with four towers stands on a hill.",
    ["castle", "medieval", "towers", "history"],
    () => [
      sky("day"),
      cloud(70, 80, 1.1),
      cloud(400, 60, 1.2),
      hills(230, 20, "#a9d47f", 0.5),
      path("M40 360C100 250 160 226 240 226C320 226 390 250 460 360Z", downward("#7cbc5a", "#569a44")),
      castle(242, 244, { scale: 1.4 }),
      path("M226 244C224 280 260 290 240 330L220 360H290C280 330 270 290 258 244Z", "#d9c39a"),
      [leafyTree(60, 330, 1), leafyTree(430, 326, 1.1), bush(140, 300, 0.9), bush(350, 304, 0.9)],
      distantBirds(100, 130),
    ],
  ),
  scene(
    "windmill-tulips",
    "A Dutch windmill rises above rows of colourful tulips.",
    ["windmill", "tulips", "netherlands", "flowers", "spring"],
    () => [
      sky("noon"),
      cloud(90, 60, 1.2),
      cloud(300, 84, 0.9),
      rect(0, 214, 480, 30, "#7fb0d0"),
      hills(216, 4, "#8cc26b", 1),
      windmill(352, 236, { scale: 1.6 }, 32),
      [leafyTree(60, 226, 0.7), house(130, 226, { scale: 0.5 })],
      ground(230, "#6aa84f", "#4c8a3d"),
      repeat(5, (r) =>
        repeat(16 - r, (i) =>
          tulip(
            (r % 2) * 14 + i * (26 + r * 5) + 6,
            268 + r * 24,
            0.62 + r * 0.17,
            ["#e5484d", "#f2c230", "#f27aa0", "#b06bd0", "#f2762e"][r] as string,
          ),
        ),
      ),
    ],
  ),
  scene(
    "pyramids",
    "Tourists look at the great pyramids in the desert.",
    ["pyramids", "egypt", "desert", "tourists"],
    () => [
      sky("desert"),
      sun(400, 70, 32),
      pyramid(150, 260, 300, 170),
      pyramid(350, 260, 220, 126),
      sand(256, 6),
      hills(316, 8, "#dcb46a", 2),
      [palm(440, 300, 0.9), palm(466, 306, 0.7, -10)],
      [
        person(190, 334, { scale: 0.75 }, POSES.standing, {
          shirt: "#ffffff",
          trousers: "#a5895a",
          hairStyle: "sunhat",
          hat: "#f2e3c0",
          face: "none",
        }),
        person(226, 336, { scale: 0.72 }, POSES.waving, {
          shirt: "#e5484d",
          trousers: "#39465a",
          hairStyle: "cap",
          hat: "#3f6fd0",
          face: "none",
        }),
        person(262, 334, { scale: 0.7 }, POSES.reaching, {
          shirt: "#5fa46a",
          skirt: "#7b5aa8",
          hairStyle: "sunhat",
          hat: "#f2c230",
          face: "none",
        }),
      ],
    ],
  ),
  scene(
    "pagoda-blossom",
    "Cherry trees bloom pink around a red pagoda.",
    ["pagoda", "cherry blossom", "japan", "spring", "temple"],
    () => [
      rect(0, 0, 480, 360, downward("#a9d3ee", "#fbe6ec")),
      mountain(360, 250, 320, 150, { rock: "#8fa3c4", shade: "#7388ac" }),
      hills(246, 12, "#9ac27a", 1),
      pagoda(176, 290, { scale: 1.25 }),
      ground(284, "#8cbd6b", "#66a04f"),
      ellipse(360, 330, 110, 22, "#8fc3dc"),
      path("M300 326Q360 284 420 326", "none", { stroke: "#c9302c", width: 8 }),
      [blossomTree(60, 316, 1.5), blossomTree(290, 300, 1.2), blossomTree(440, 312, 1.5)],
      scatter(5, 46, { x: 0, y: 120, w: 480, h: 230 }, (x, y, random) =>
        ellipse(x, y, 3, 2, "#fbd0dd", { rotate: random() * 180 }),
      ),
    ],
  ),
  scene(
    "igloo-night",
    "Warm light shines from an igloo on the ice at night.",
    ["igloo", "ice", "arctic", "night"],
    () => [
      sky("night"),
      stars(14, 90, 220),
      moon(400, 70, 22),
      mountain(120, 250, 260, 100, { rock: "#4a5f8f", shade: "#364a78", snow: "#dfeaf6" }),
      mountain(380, 250, 260, 80, { rock: "#53689a", shade: "#3d5282", snow: "#dfeaf6" }),
      hills(250, 8, downward("#cfdef2", "#8fa6cc"), 1),
      shadow(230, 322, 110, 10, 0.25),
      igloo(220, 320, { scale: 1.7 }),
      [
        path("M281 320V290C281 264 333 264 333 290V320Z", "#ffcf6b"),
        polygon("281,320 333,320 380,352 270,352", "#ffdf9a", { opacity: 0.35 }),
      ],
      person(410, 334, { scale: 0.9 }, POSES.standing, {
        shirt: "#a5713f",
        trousers: "#6b4a34",
        hairStyle: "beanie",
        hat: "#d9b487",
        skin: SKIN.tan,
      }),
    ],
  ),
  scene(
    "log-cabin",
    "Smoke rises from the chimney of a log cabin in the snowy woods.",
    ["cabin", "snow", "smoke", "woods", "winter"],
    () => [
      sky("dusk"),
      pineWood(5, 230, ["#2c3f5a", "#33486a"], 1.3, true),
      snowfield(226),
      repeat(6, (i) =>
        circle(276 + i * 9 + (i % 2) * 6, 150 - i * 22, 8 + i * 4, "#e9edf2", { opacity: 0.65 - i * 0.08 }),
      ),
      logCabin(230, 306, { scale: 1.5 }),
      [pine(60, 320, 1.7, true), pine(430, 316, 1.9, true), pine(386, 330, 1, true)],
      path("M214 306C210 330 250 336 240 360H320C310 336 262 330 250 306Z", "#c9d9e8"),
      ellipse(230, 316, 60, 9, "#ffd978", { opacity: 0.25 }),
      [rect(120, 296, 40, 10, "#8a5a34", { round: 5 }), rect(126, 287, 30, 10, "#9c6a3f", { round: 5 })],
    ],
  ),
  scene(
    "village-church",
    "A white church stands in a village among flowering meadows.",
    ["church", "village", "meadow", "countryside"],
    () => [
      sky("day"),
      mountain(100, 230, 300, 140, { rock: "#9fb0c4", shade: "#7f92aa" }),
      mountain(370, 230, 340, 110, { rock: "#a9b9ca", shade: "#8a9bb0" }),
      hills(226, 14, "#9ed07a", 1.8),
      [
        house(90, 258, { scale: 0.7 }),
        house(400, 262, { scale: 0.75 }, { roof: "#8a5a44" }),
        house(330, 256, { scale: 0.6 }, { wall: "#fdfaf2" }),
      ],
      church(224, 276, { scale: 1.3 }),
      [leafyTree(150, 270, 0.8), leafyTree(440, 276, 0.9)],
      meadow(270, 4),
      flowers(8, 60, 282, ["#ffffff", "#f6c23e", "#e5484d", "#b787e0"]),
    ],
  ),
];
