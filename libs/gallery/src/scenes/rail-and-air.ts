import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { townhouses } from "../parts/buildings.ts";
import { ground, hills, meadow, mountain, shadow } from "../parts/grounds.ts";
import {
  aeroplane,
  balloon,
  carriage,
  fastTrain,
  helicopter,
  smoke,
  steamEngine,
  tram,
} from "../parts/other-vehicles.ts";
import { person } from "../parts/people.ts";
import { POSES } from "../parts/poses.ts";
import { leafyTree, pine } from "../parts/plants.ts";

import { cloud, distantBirds, sky, sun } from "../parts/skies.ts";

export const railAndAir: readonly Scene[] = [
  scene(
    "steam-train",
    "An old steam locomotive puffs across a stone viaduct.",
    ["train", "steam", "railway", "bridge"],
    () => [
      sky("day"),
      hills(200, 26, "#8fb583", 0.5),
      hills(240, 22, "#6f9d63", 2),
      repeat(5, (i) =>
        path(
          `M${-30 + i * 120} 360V268H${90 + i * 120}V360H${72 + i * 120}V324C${72 + i * 120} 286 ${-12 + i * 120} 286 ${-12 + i * 120} 324V360Z`,
          "#b8a58f",
        ),
      ),
      rect(0, 236, 480, 36, "#c9b8a2"),
      repeat(12, (i) => rect(i * 42, 240, 38, 12, "#b5a38c")),
      smoke(300, 132, "#f4f4f2", 0.9),
      carriage(20, 236, { scale: 0.95 }),
      carriage(150, 236, { scale: 0.95 }, "#8a3f3a"),
      steamEngine(306, 236, { scale: 1 }),
      rect(0, 234, 480, 4, "#5b5148"),
    ],
  ),
  scene(
    "high-speed-train",
    "A white high-speed train races past green fields.",
    ["train", "fast", "railway", "modern"],
    () => [
      sky("noon"),
      cloud(120, 60, 1),
      cloud(330, 80, 0.8),
      hills(190, 16, "#9ed07a", 1),
      [leafyTree(60, 220, 0.8), leafyTree(410, 216, 0.9)],
      meadow(214, 4),
      rect(0, 296, 480, 30, "#8d8780"),
      repeat(20, (i) => rect(i * 25, 302, 12, 14, "#6b5a48")),
      rect(0, 298, 480, 4, "#b9bec4"),
      fastTrain(256, 298, { scale: 1.15 }),
      repeat(6, (i) => [
        stroke(`M${40 + i * 84} 214V140`, "#7b828b", 3),
        stroke(`M${40 + i * 84} 148h14`, "#7b828b", 2),
      ]),
      stroke("M0 152H480", "#5a6068", 1.4),
      repeat(5, (i) => stroke(`M${4 + i * 8} ${236 + i * 12}h${46 - i * 5}`, "#ffffff", 2, { opacity: 0.7 })),
    ],
  ),
  scene(
    "city-tram",
    "A yellow and red tram climbs a steep street between old houses.",
    ["tram", "streetcar", "old town", "hill"],
    () => [
      sky("noon"),
      at(
        0,
        40,
        { rotate: -7 },
        townhouses(140, 240, 1.05),
        townhouses(450, 240, 1.05),
        rect(-40, 238, 600, 30, "#c9c2b6"),
        rect(-40, 266, 600, 140, "#8f8a84"),
        stroke("M-40 306H560M-40 322H560", "#5a564f", 3),
        shadow(250, 308, 120),
        stroke("M-40 118H560", "#3f4349", 1.6),
        tram(250, 306, { scale: 1.3 }),
      ),
    ],
  ),
  scene(
    "hot-air-balloons",
    "Colourful hot-air balloons float over misty hills at sunrise.",
    ["hot-air balloon", "sunrise", "flight", "colourful"],
    () => [
      rect(0, 0, 480, 360, downward("#7fb0d8", "#f8c79b", "#fde6c0")),
      sun(90, 236, 30, "#ffd27a"),
      hills(262, 20, "#c79a8a", 0.6),
      rect(0, 262, 480, 40, "#fdeedd", { opacity: 0.5 }),
      hills(296, 18, "#9a8a6f", 2),
      hills(330, 12, "#6f7f56", 3.4),
      balloon(230, 216, { scale: 1.5 }, ["#e5484d", "#f7d154"]),
      balloon(96, 170, { scale: 0.85 }, ["#3f87d8", "#ffffff"]),
      balloon(390, 190, { scale: 1 }, ["#5fa46a", "#f4e3a8"]),
      balloon(330, 90, { scale: 0.5 }, ["#b06bd0", "#f7b7c9"]),
      balloon(150, 78, { scale: 0.4 }, ["#f2762e", "#fbe0a8"]),
    ],
  ),
  scene(
    "airliner-takeoff",
    "A passenger plane takes off from the airport runway.",
    ["aeroplane", "airport", "takeoff", "travel"],
    () => [
      sky("noon"),
      cloud(80, 80, 1),
      cloud(400, 110, 0.8),
      hills(238, 8, "#8fbf75"),
      [
        rect(30, 214, 100, 34, "#e4e8ec"),
        rect(100, 160, 14, 88, "#d2d8de"),
        polygon("92,160 122,160 128,140 86,140", "#3a4a5c"),
      ],
      ground(246, "#8cc263", "#67a04c"),
      polygon("0,360 0,286 480,262 480,360", "#6b7078"),
      repeat(7, (i) =>
        polygon(
          `${10 + i * 72},${326 - i * 2} ${52 + i * 72},${324 - i * 2} ${52 + i * 72},${330 - i * 2} ${10 + i * 72},${332 - i * 2}`,
          "#ffffff",
        ),
      ),
      ellipse(230, 316, 120, 9, "#10202c", { opacity: 0.18 }),
      aeroplane(250, 162, { scale: 1.7, rotate: -15 }),
    ],
  ),
  scene(
    "rescue-helicopter",
    "A rescue helicopter hovers above snowy mountain peaks.",
    ["helicopter", "mountains", "rescue", "snow"],
    () => [
      sky("day"),
      mountain(110, 330, 360, 220, { rock: "#7f8ca1", shade: "#5b6880" }),
      mountain(370, 330, 400, 250, { rock: "#8b98ac", shade: "#667389" }),
      mountain(240, 350, 300, 130, { rock: "#74829a", shade: "#54627a" }),
      ground(322, "#eef4f9", "#cfdeeb"),
      [pine(50, 346, 0.7, true), pine(90, 352, 0.5, true), pine(440, 346, 0.7, true)],
      helicopter(226, 160, { scale: 1.25 }),
      stroke("M240 160V262", "#3d444c", 2),
      person(240, 306, { scale: 0.5 }, POSES.standing, {
        shirt: "#f2a02e",
        trousers: "#f2a02e",
        hairStyle: "helmet",
        hat: "#ffffff",
      }),
    ],
  ),
  scene(
    "stunt-plane",
    "A small propeller plane loops through the clouds trailing white smoke.",
    ["plane", "stunt", "clouds", "air show"],
    () => [
      sky("noon"),
      cloud(90, 90, 1.4),
      cloud(390, 150, 1.6),
      cloud(200, 330, 2),
      stroke(
        "M-20 300C120 330 250 300 270 190C280 110 180 80 150 150C130 220 240 240 320 170",
        "#ffffff",
        16,
        { opacity: 0.8 },
      ),
      at(
        350,
        146,
        { rotate: -34, scale: 1.2 },
        path("M-60 -6L-72 -30H-58L-42 -8Z", "#c9302c"),
        path("M-66 -4C-40 -16 20 -18 48 -8C56 -4 56 6 48 8C20 14 -40 12 -66 -4Z", "#e5484d"),
        path("M-6 0L-26 34H-8L22 4Z", "#f7f4ec"),
        path("M-4 -10L-20 -34H-6L18 -10Z", "#f7f4ec"),
        path("M4 -13C8 -24 24 -24 28 -12Z", "#bfe0f2"),
        ellipse(58, 0, 3, 30, "#3a3f47", { opacity: 0.6 }),
        circle(54, 0, 5, "#3a3f47"),
      ),
      distantBirds(60, 220),
    ],
  ),
];
