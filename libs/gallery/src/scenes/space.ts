import { repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, fade, glow, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { flag } from "../parts/sports.ts";
import { ground, hills, mountain, shadow } from "../parts/grounds.ts";
import { person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";
import { pineWood } from "../parts/plants.ts";
import { sky, stars } from "../parts/skies.ts";
import {
  astronaut,
  comet,
  crater,
  earth,
  nebula,
  planet,
  rocket,
  rover,
  satellite,
  spaceStation,
  telescope,
} from "../parts/space.ts";

export const space: readonly Scene[] = [
  scene(
    "rocket-launch",
    "A rocket lifts off from the launch pad in a cloud of smoke.",
    ["rocket", "launch", "smoke", "space"],
    () => [
      rect(0, 0, 480, 360, downward("#1d2a5a", "#5b6fb0", "#f2b98a")),
      stars(5, 40, 120),
      hills(300, 8, "#3a3f5a", 1),
      [
        stroke("M140 320V90M176 320V90", "#8f969f", 5),
        repeat(10, (i) =>
          stroke(
            `M140 ${104 + i * 22}L176 ${126 + i * 22}M176 ${104 + i * 22}L140 ${126 + i * 22}`,
            "#8f969f",
            2,
          ),
        ),
        stroke("M176 130H214M176 190H214", "#8f969f", 4),
      ],
      rect(0, 312, 480, 48, "#4b5058"),
      circle(246, 280, 110, glow("#ffb347", 0.8)),
      rocket(246, 228, { scale: 1.5 }),
      scatter(7, 60, { x: 90, y: 290, w: 310, h: 60 }, (x, y, random) =>
        circle(x, y, 12 + random() * 24, "#f4f1ec", { opacity: 0.7 }),
      ),
      circle(246, 318, 50, glow("#ffb347", 0.7)),
    ],
  ),
  scene(
    "astronaut-moon",
    "An astronaut stands next to a flag on the surface of the Moon.",
    ["astronaut", "moon", "flag", "space"],
    () => [
      sky("space"),
      stars(12, 110, 240),
      earth(380, 90, 46),
      hills(250, 10, downward("#b9bbc1", "#85878e"), 0.8),
      [crater(90, 286, 44, 11), crater(400, 300, 56, 14), crater(300, 346, 60, 12), crater(40, 340, 40, 10)],
      flag(330, 312, 120, "#3f6fd0"),
      shadow(200, 326, 50, 8, 0.4),
      astronaut(200, 326, { scale: 1.55 }),
      scatter(3, 7, { x: 60, y: 318, w: 100, h: 20 }, (x, y) => ellipse(x, y, 5, 2.4, "#75777e")),
    ],
  ),
  scene(
    "ringed-planet",
    "A giant planet with golden rings shines among the stars.",
    ["planet", "rings", "saturn", "stars"],
    () => [
      sky("space"),
      nebula(4, ["#5b3fa0", "#2f5fb5", "#a03f7a"]),
      stars(7, 140, 360),
      planet(250, 184, 92, ["#f2d29a", "#dba862", "#c98a4a", "#9c6236"], "#e9d3a3"),
      planet(80, 90, 18, ["#9fb8d9", "#5f7fb0"]),
      circle(410, 300, 8, "#d9cfc0"),
    ],
  ),
  scene(
    "space-station-orbit",
    "A space station orbits high above the blue Earth.",
    ["space station", "orbit", "earth", "solar panels"],
    () => [
      sky("space"),
      stars(16, 100, 220),
      earth(240, 560, 330),
      spaceStation(240, 140, { scale: 1.05, rotate: -8 }),
    ],
  ),
  scene(
    "mars-rover",
    "A rover explores the rocky red surface of Mars.",
    ["rover", "mars", "robot", "red planet"],
    () => [
      sky("mars"),
      circle(370, 80, 16, "#fdeedd", { opacity: 0.85 }),
      hills(206, 26, "#b5714b", 0.4),
      hills(236, 20, "#a35c38", 2.2),
      ground(252, "#b9653a", "#8a4526"),
      scatter(6, 26, { x: 0, y: 262, w: 480, h: 90 }, (x, y, random) => [
        ellipse(x + 2, y + 3, 5 + random() * 11, 4, "#5b2c18", { opacity: 0.4 }),
        ellipse(x, y, 5 + random() * 9, 4 + random() * 4, "#9c5232"),
      ]),
      [stroke("M0 340Q90 320 170 330M0 354Q100 334 180 344", "#7a3c20", 5, { dash: "3 7", opacity: 0.6 })],
      shadow(270, 330, 90, 10, 0.35),
      rover(264, 328, { scale: 1.7 }),
    ],
  ),
  scene(
    "stargazing",
    "Two people look at the Milky Way through a telescope.",
    ["telescope", "stars", "milky way", "night", "astronomy"],
    () => [
      sky("deepNight"),
      at(
        240,
        120,
        { rotate: -24 },
        ellipse(0, 0, 340, 60, glow("#8f9fe0", 0.4)),
        ellipse(20, -4, 260, 28, glow("#d9b8e6", 0.4)),
      ),
      stars(3, 220, 270),
      pineWood(8, 284, ["#0b1526", "#101d33"], 0.8),
      path("M0 360V300C120 262 330 262 480 310V360Z", "#0f1a2e"),
      telescope(262, 304, { scale: 1.3 }),
      person(190, 314, { scale: 1.1 }, POSES.bending, {
        shirt: "#c9403f",
        trousers: "#26324a",
        hairStyle: "beanie",
        hat: "#f2c230",
        face: "right",
      }),
      person(
        350,
        314,
        { scale: 1.1, flip: true },
        {
          ...POSES.standing,
          arms: [limb(-13, -62, -14, -47), limb(20, -84, 32, -98)],
        },
        { shirt: "#4f86a8", trousers: "#2b2d35", hairStyle: "long", hair: "#5a3420", face: "right" },
      ),
    ],
  ),
  scene(
    "comet-mountains",
    "A bright comet streaks across the night sky above the mountains.",
    ["comet", "night sky", "mountains", "astronomy"],
    () => [
      rect(0, 0, 480, 360, downward("#0a1030", "#26336b", "#5b5a95")),
      stars(9, 130, 260),
      comet(150, 176, 330),
      mountain(110, 330, 320, 130, { rock: "#2a3560", shade: "#1b2448", snow: "#b9c9e6" }),
      mountain(360, 330, 360, 150, { rock: "#333f6e", shade: "#222c54", snow: "#c3d2ec" }),
      hills(322, 8, "#131b38", 2),
    ],
  ),
  scene(
    "solar-eclipse",
    "A crowd watches the Moon cover the Sun in a total eclipse.",
    ["eclipse", "sun", "moon", "crowd"],
    () => [
      rect(0, 0, 480, 360, downward("#0c1024", "#2a2748", "#8a4f5a", "#f2a25c")),
      stars(2, 50, 180),
      [
        circle(240, 120, 140, glow("#fff3d0", 0.5)),
        repeat(24, (i) =>
          at(240, 120, { rotate: i * 15 }, polygon("-4,-52 4,-52 0,-92", fade("#fff3d0", 0.1, 0.7))),
        ),
        circle(240, 120, 58, "#fff6da"),
        circle(240, 120, 54, "#0c0f20"),
        circle(284, 88, 9, "#ffffff"),
        circle(284, 88, 26, glow("#ffffff", 0.8)),
      ],
      hills(300, 10, "#1a1a30", 0.6),
      [50, 110, 170, 300, 360, 430].map((x, i) =>
        person(
          x,
          360,
          { scale: 0.85 + (i % 3) * 0.1, flip: i > 2 },
          i % 2
            ? {
                ...POSES.standing,
                arms: [limb(-13, -62, -14, -47), limb(18, -84, 28, -102)],
              }
            : POSES.standing,
          {
            shirt: "#14152a",
            trousers: "#0f1022",
            skin: "#1d1c36",
            hair: "#0c0d1c",
            shoes: "#0c0d1c",
            face: "none",
          },
        ),
      ),
    ],
  ),
  scene(
    "satellite-earth",
    "A satellite with solar panels floats in front of our planet.",
    ["satellite", "solar panels", "earth", "technology"],
    () => [
      sky("space"),
      stars(21, 110, 360),
      earth(60, 320, 190),
      satellite(300, 140, { scale: 1.7, rotate: -18 }),
      circle(420, 60, 12, "#e6e2d6"),
    ],
  ),
  scene(
    "alien-planet",
    "Two moons hang over strange purple rocks on an alien world.",
    ["alien", "planet", "science fiction", "moons"],
    () => [
      rect(0, 0, 480, 360, downward("#1d0f3f", "#5f2f86", "#f28aa0")),
      stars(6, 60, 160),
      planet(360, 100, 56, ["#f6c9a0", "#c97a8a", "#7a4a8f"]),
      planet(180, 70, 18, ["#bfe6f2", "#5f9fc4"]),
      hills(244, 20, "#7a3f8f", 1.2),
      [
        path("M60 300C70 200 90 140 120 110C140 150 150 220 176 300Z", "#5b2a78"),
        path("M120 110C140 150 150 220 176 300H140C140 220 132 150 120 110Z", "#45205f"),
        path("M330 290C336 220 356 180 380 160C396 200 410 240 430 290Z", "#662f84"),
        path("M380 160C396 200 410 240 430 290H400C398 240 392 200 380 160Z", "#4c2368"),
      ],
      ground(286, "#a3527f", "#5f2a5f"),
      [90, 210, 300, 420].map((x, i) =>
        at(
          x,
          330 + (i % 2) * 14,
          { scale: 1.1 - (i % 3) * 0.2 },
          stroke("M0 0C-4 -20 4 -30 0 -46", "#3fd0b0", 5),
          circle(0, -52, 12, "#7ff0d0"),
          circle(0, -52, 30, glow("#7ff0d0", 0.5)),
          circle(-3, -55, 4, "#ffffff", { opacity: 0.7 }),
        ),
      ),
    ],
  ),
];
