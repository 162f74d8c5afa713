import { repeat } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import { at, circle, downward, ellipse, path, polygon, rect, stroke } from "../drawing/svg.ts";
import { house, lampPost, skyline } from "../parts/buildings.ts";
import { apple } from "../parts/foods.ts";
import {
  ceilingLamp,
  chair,
  laptop,
  mug,
  picture,
  room,
  table,
  windowBars,
  windowFrame,
} from "../parts/furniture.ts";
import { road, shadow } from "../parts/grounds.ts";
import { SKIN, person } from "../parts/people.ts";
import { POSES, limb } from "../parts/poses.ts";

import { bush, pottedPlant, tulip } from "../parts/plants.ts";
import { cloud, sky } from "../parts/skies.ts";

export const peopleAtWork: readonly Scene[] = [
  scene(
    "chef-kitchen",
    "A chef in a white hat stirs a pot of soup in a restaurant kitchen.",
    ["chef", "cooking", "kitchen", "soup", "restaurant"],
    () => [
      rect(0, 0, 480, 300, "#e6ecef"),
      repeat(7, (r) => repeat(17, (i) => rect(i * 29, r * 29, 27, 27, "#f4f8fa"))),
      rect(0, 200, 480, 30, "#9aa5ae"),
      rect(0, 40, 480, 8, "#9aa5ae"),
      [60, 120, 360, 420].map((x, i) => [
        stroke(`M${x} 48V70`, "#7b858e", 3),
        circle(x, 88, 20, ["#c9713f", "#5a6068", "#4b5058", "#b5573a"][i] as string),
      ]),
      rect(0, 296, 480, 64, "#8f9aa3"),
      person(190, 356, { scale: 2 }, POSES.reaching, {
        shirt: "#ffffff",
        trousers: "#2b2d35",
        hairStyle: "chef",
        face: "right",
        skin: SKIN.tan,
      }),
      path("M176 232H204L212 330H170Z", "#e5484d", { opacity: 0.9 }),
      rect(220, 260, 240, 14, "#5a6068"),
      rect(230, 274, 220, 86, "#c3ccd3"),
      [
        rect(252, 214, 92, 48, "#7b858e", { round: 5 }),
        ellipse(298, 214, 46, 10, "#e5933f"),
        stroke("M254 226H240M342 226H358", "#5a6068", 7),
      ],
      stroke("M262 232L296 208", "#8a5a34", 6),
      stroke("M280 196c-12 -14 10 -22 -2 -40M318 196c-12 -14 10 -22 -2 -40", "#ffffff", 6, { opacity: 0.8 }),
      [rect(372, 232, 70, 28, "#f2c230", { round: 5 }), rect(372, 230, 70, 6, "#d9a51f")],
    ],
  ),
  scene(
    "painter-easel",
    "A painter works on a landscape at an easel in the studio.",
    ["painter", "art", "easel", "painting", "studio"],
    () => [
      room(downward("#efe6da", "#e0d2bf"), "#a98560", 270),
      windowFrame(30, 30, 120, 170, downward("#cfe6f2", "#fdf6e3")),
      windowBars(30, 30, 120, 170),
      [
        picture(180, 40, 60, 50, downward("#f2b95c", "#c9403f")),
        picture(400, 50, 50, 70, downward("#5f9a8f", "#2f4a6a")),
      ],
      stroke("M330 100V60M270 340L322 90M400 340L342 90M336 330V110", "#8a5a34", 7),
      rect(262, 120, 146, 112, "#fdfaf2"),
      [
        rect(270, 128, 130, 96, downward("#8fcdf3", "#e3f5fc")),
        circle(376, 148, 10, "#ffd84d"),
        polygon("270,196 306,150 340,196", "#8b98ac"),
        polygon("310,196 354,160 400,196", "#9aa7b8"),
        rect(270, 192, 130, 32, "#7cbc5a"),
      ],
      rect(256, 232, 158, 8, "#8a5a34"),
      shadow(190, 340, 40),
      person(190, 340, { scale: 1.7 }, POSES.reaching, {
        shirt: "#4f86a8",
        trousers: "#5b4a3f",
        hairStyle: "bun",
        hair: "#8a3f24",
        face: "right",
      }),
      [
        stroke("M244 238L276 214", "#5b3a22", 4),
        path("M206 264C200 244 240 238 250 254C256 268 236 278 222 276C212 276 208 272 206 264Z", "#c99a62"),
        circle(220, 258, 5, "#e5484d"),
        circle(234, 254, 5, "#f2c230"),
        circle(242, 264, 5, "#3f87d8"),
      ],
    ],
  ),
  scene(
    "teacher-blackboard",
    "A teacher draws shapes on the blackboard for her pupils.",
    ["teacher", "school", "classroom", "pupils", "lesson"],
    () => [
      room(downward("#f4ead6", "#e9dcc0"), "#b98f5c", 280),
      rect(70, 30, 340, 160, "#8a5a34", { round: 4 }),
      rect(80, 40, 320, 140, "#2f5a48"),
      [
        circle(150, 90, 26, "none", { stroke: "#f4f4ee", width: 3 }),
        polygon("210,116 240,64 270,116", "none", { stroke: "#f7e28a", width: 3 }),
        rect(150, 132, 40, 34, "none", { stroke: "#f7b7c9", width: 3 }),
        stroke("M220 150q14 -20 28 0t28 0", "#8fd0ff", 3),
      ],
      person(
        340,
        300,
        { scale: 1.6, flip: true },
        {
          ...POSES.standing,
          arms: [limb(-13, -62, -14, -47), limb(18, -80, 32, -92)],
        },
        {
          shirt: "#c9403f",
          skirt: "#39465a",
          hairStyle: "bun",
          hair: "#5a3420",
          face: "right",
          skin: SKIN.brown,
        },
      ),
      [70, 190, 300].map((x, i) => [
        person(
          x,
          386,
          { scale: 1.15 },
          {
            ...POSES.standing,
            arms: i === 1 ? [limb(-13, -62, -14, -47), limb(16, -88, 15, -108)] : POSES.standing.arms,
          },
          {
            shirt: ["#3f87d8", "#f2c230", "#5fa46a"][i] as string,
            face: "none",
            hair: ["#3a2a20", "#c98a3c", "#1f1a18"][i] as string,
            hairStyle: i === 1 ? "bun" : "short",
            skin: [SKIN.fair, SKIN.fair, SKIN.deep][i] as string,
          },
        ),
        rect(x - 56, 336, 112, 12, "#c99a62", { round: 3 }),
        rect(x - 50, 348, 8, 20, "#8a6540"),
        rect(x + 42, 348, 8, 20, "#8a6540"),
      ]),
      apple(440, 344, { scale: 0.5 }),
    ],
  ),
  scene(
    "doctor-office",
    "A doctor with a stethoscope greets a patient.",
    ["doctor", "patient", "medicine", "clinic"],
    () => [
      room(downward("#e3f0f2", "#cfe3e6"), "#9fb5b9", 280, false),
      windowFrame(40, 40, 130, 120, downward("#8fcdf3", "#e3f5fc")),
      windowBars(40, 40, 130, 120),
      [
        rect(320, 50, 100, 110, "#ffffff", { round: 4 }),
        rect(360, 70, 20, 60, "#e23b35"),
        rect(340, 90, 60, 20, "#e23b35"),
      ],
      [
        rect(290, 282, 180, 20, "#8fb8c4", { round: 6 }),
        rect(300, 302, 10, 48, "#7b949c"),
        rect(450, 302, 10, 48, "#7b949c"),
      ],
      person(360, 324, { scale: 1.5, flip: true }, POSES.sitting, {
        shirt: "#f2c230",
        trousers: "#5f7fa0",
        face: "right",
        skin: SKIN.tan,
        hairStyle: "long",
        hair: "#3a2a20",
      }),
      shadow(180, 342, 40),
      person(
        180,
        342,
        { scale: 1.75 },
        { ...POSES.reaching },
        { shirt: "#ffffff", trousers: "#3f6fa0", face: "right", skin: SKIN.deep },
      ),
      [
        path("M160 268H202L206 300H156Z", "#ffffff"),
        stroke("M168 212Q166 246 180 250Q194 246 192 212M180 250V266", "#3a4a5c", 3),
        circle(180, 269, 5, "#9aa5b1"),
      ],
      pottedPlant(60, 330, 1.2, "leaves", "#ffffff"),
    ],
  ),
  scene(
    "postwoman-bicycle",
    "A postwoman delivers letters to a row of houses.",
    ["post", "mail", "letters", "delivery", "street"],
    () => [
      sky("day"),
      cloud(90, 60, 1),
      [
        house(90, 256, { scale: 1.45 }, { roof: "#4f7f9c", door: "#c9403f" }),
        house(260, 256, { scale: 1.5 }),
        house(420, 256, { scale: 1.4 }, { roof: "#5f7f5a", wall: "#f6ead2", door: "#3f6fa0" }),
      ],
      [bush(180, 258, 0.8), bush(344, 258, 0.8)],
      rect(0, 254, 480, 44, "#b9b3a8"),
      road(296, 64, { line: "#f4f1e6" }),
      [
        stroke("M300 300V248", "#6b4a34", 6),
        path("M280 250V232C280 218 320 218 320 232V250Z", "#c9302c"),
        rect(288, 234, 24, 4, "#5e1614"),
      ],
      shadow(222, 330, 36),
      person(222, 330, { scale: 1.4 }, POSES.reaching, {
        shirt: "#3f5fa0",
        trousers: "#26324a",
        hairStyle: "cap",
        hat: "#3f5fa0",
        hair: "#5a3420",
        face: "right",
      }),
      [
        polygon("262,238 286,236 287,250 263,252", "#ffffff"),
        stroke("M263 239l12 8l12 -10", "#c3c9cf", 1.4),
        rect(186, 268, 34, 28, "#8a5a34", { round: 4 }),
        stroke("M190 268Q204 230 226 236", "#6b4226", 4),
      ],
    ],
  ),
  scene(
    "office-meeting",
    "Colleagues discuss a chart in an office meeting.",
    ["office", "meeting", "colleagues", "work", "business"],
    () => [
      room(downward("#e9eef2", "#d6dfe6"), "#8f9aa5", 286, false),
      windowFrame(20, 40, 110, 140, downward("#8fcdf3", "#e3f5fc")),
      at(20, 40, { scale: [0.23, 0.39] }, skyline(5, 360, ["#9fb4c8", "#8aa2b9"], undefined, 240)),
      windowBars(20, 40, 110, 140),
      rect(180, 36, 220, 130, "#ffffff", { stroke: "#b9c3cd", width: 5 }),
      [
        rect(206, 116, 24, 36, "#3f87d8"),
        rect(242, 96, 24, 56, "#5fa46a"),
        rect(278, 78, 24, 74, "#f2c230"),
        rect(314, 58, 24, 94, "#e5484d"),
        stroke("M200 152H372M200 152V54", "#4b5560", 3),
        stroke("M218 104L254 84L290 66L326 50L362 44", "#39465a", 3),
      ],
      ceilingLamp(120, 0, "#39465a"),
      person(
        420,
        320,
        { scale: 1.55, flip: true },
        {
          ...POSES.standing,
          arms: [limb(-13, -62, -14, -47), limb(20, -82, 36, -96)],
        },
        { shirt: "#39465a", trousers: "#26324a", face: "right", skin: SKIN.deep },
      ),
      [chair(90, 350, { scale: 1.2 }, "#4b5560"), chair(290, 352, { scale: 1.2 }, "#4b5560")],
      person(96, 344, { scale: 1.3 }, POSES.sitting, {
        shirt: "#e2803f",
        hairStyle: "bun",
        hair: "#5a3420",
        face: "right",
      }),
      table(210, 352, 240, 62, "#c99a62"),
      laptop(170, 282, { scale: 0.8 }),
      mug(250, 282, { scale: 0.8 }, "#5fa46a"),
      person(
        280,
        350,
        { scale: 1.3 },
        { ...POSES.sitting },
        { shirt: "#5f8fb5", face: "none", hair: "#2a211c", skin: SKIN.tan },
      ),
    ],
  ),
  scene(
    "flower-seller",
    "A florist arranges bouquets of tulips outside her shop.",
    ["florist", "flowers", "shop", "bouquet"],
    () => [
      rect(0, 0, 480, 280, "#9fc4b4"),
      rect(40, 90, 300, 192, "#3f6b5a"),
      rect(54, 104, 190, 150, downward("#e9f6ee", "#bfe0cf")),
      rect(262, 104, 66, 178, "#2f5646"),
      rect(272, 114, 46, 80, "#cfeadb"),
      repeat(10, (i) =>
        path(
          `M${30 + i * 32} 60H${62 + i * 32}V98Q${46 + i * 32} 112 ${30 + i * 32} 98Z`,
          i % 2 ? "#ffffff" : "#f27aa0",
        ),
      ),
      repeat(5, (i) =>
        tulip(80 + i * 34, 250, 1.5, ["#e5484d", "#f2c230", "#b06bd0", "#f27aa0", "#f2762e"][i] as string),
      ),
      rect(0, 280, 480, 80, downward("#cfc3b3", "#b3a594")),
      [
        [60, "#e5484d"],
        [130, "#f2c230"],
        [200, "#b06bd0"],
      ].map(([x, colour]) => [
        repeat(5, (i) => tulip((x as number) + (i - 2) * 9, 318 - (i % 2) * 5, 1.15, colour as string)),
        path(
          `M${(x as number) - 26} 306H${(x as number) + 26}L${(x as number) + 19} 350H${(x as number) - 19}Z`,
          "#8f9aa3",
        ),
        rect((x as number) - 28, 302, 56, 7, "#7b858e", { round: 3 }),
      ]),
      shadow(370, 346, 38),
      person(370, 346, { scale: 1.6, flip: true }, POSES.reaching, {
        shirt: "#ffffff",
        skirt: "#5fa46a",
        hairStyle: "sunhat",
        hat: "#e6c67a",
        hair: "#8a4a24",
        face: "right",
        skin: SKIN.tan,
      }),
      repeat(6, (i) =>
        tulip(
          300 + i * 7,
          268 - Math.abs(i - 2.5) * 4,
          1,
          ["#f27aa0", "#f2c230", "#e5484d"][i % 3] as string,
        ),
      ),
      polygon("298,248 342,248 328,284 312,284", "#fdf6ea"),
      lampPost(450, 340, { scale: 1.6 }),
    ],
  ),
  scene(
    "window-cleaner",
    "A worker washes the windows of a tall glass building.",
    ["window cleaner", "skyscraper", "work", "height"],
    () => [
      rect(0, 0, 480, 360, downward("#5f8fb5", "#9cc6e0")),
      repeat(5, (r) =>
        repeat(5, (i) => [
          rect(8 + i * 94, 6 + r * 72, 86, 64, downward("#bfe0f2", "#7fb0d0")),
          polygon(
            `${20 + i * 94},${70 + r * 72} ${50 + i * 94},${6 + r * 72} ${66 + i * 94},${6 + r * 72} ${36 + i * 94},${70 + r * 72}`,
            "#ffffff",
            { opacity: 0.25 },
          ),
        ]),
      ),
      [cloud(120, 110, 0.9, "#ffffff", 0.35), cloud(340, 240, 1, "#ffffff", 0.35)],
      stroke("M120 0V280M360 0V280", "#33373d", 4),
      person(
        230,
        288,
        { scale: 1.6 },
        {
          ...POSES.standing,
          arms: [limb(-13, -62, -18, -50), limb(18, -86, 30, -100)],
        },
        { shirt: "#f2762e", trousers: "#39465a", hairStyle: "hardhat", face: "right", skin: SKIN.brown },
      ),
      [
        stroke("M278 128L292 104", "#5a6068", 5),
        stroke("M274 98L316 112", "#33373d", 7),
        path("M280 106Q320 150 340 190L300 196Q290 150 268 112Z", "#ffffff", { opacity: 0.5 }),
      ],
      rect(90, 286, 300, 12, "#c3ccd3"),
      rect(90, 240, 300, 5, "#8f9aa3"),
      repeat(7, (i) => rect(94 + i * 48, 240, 4, 48, "#8f9aa3")),
      rect(88, 298, 304, 8, "#5a6068"),
      [path("M140 262H172L168 288H144Z", "#3f87d8"), ellipse(156, 262, 16, 4, "#e6f4fb")],
    ],
  ),
];
