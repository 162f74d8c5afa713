import { pick, repeat, scatter } from "../drawing/scatter.ts";
import { scene, type Scene } from "../drawing/scene.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  path,
  polygon,
  radial,
  rect,
  stroke,
  type Drawing,
} from "../drawing/svg.ts";
import { bread, burger, cheese, friedEgg, fries, grapes, pizza, sushi, wavyCircle } from "../parts/foods.ts";
import { bowl, cutlery, glass, plate, tableTop } from "../parts/tableware.ts";

import { meadow, shadow } from "../parts/grounds.ts";
import { leafyTree } from "../parts/plants.ts";
import { sky } from "../parts/skies.ts";

function tomato(x: number, y: number, r: number): Drawing {
  return [
    circle(x, y, r, radial("#f0574a", "#c9302c")),
    polygon(`${x - 6},${y - r + 1} ${x},${y - r + 5} ${x + 6},${y - r + 1} ${x},${y - r - 6}`, "#4c9a4a"),
  ];
}

function leaf(x: number, y: number, rotate: number, scale: number, colour: string): Drawing {
  return at(
    x,
    y,
    { rotate, scale },
    path("M0 -20C14 -12 14 10 0 20C-14 10 -14 -12 0 -20Z", colour),
    stroke("M0 -15V15", "#ffffff", 1.4, { opacity: 0.4 }),
  );
}

export const meals: readonly Scene[] = [
  scene(
    "pizza",
    "A pepperoni pizza with olives lies on a wooden table, one slice pulled away.",
    ["pizza", "italian", "slice", "dinner"],
    () => [
      tableTop("wood"),
      ellipse(244, 192, 168, 160, "#10202c", { opacity: 0.25 }),
      circle(234, 182, 164, "#c99a62"),
      circle(234, 182, 156, "#d9ae78"),
      pizza(230, 184, { scale: 1.25 }),
      leaf(420, 300, 40, 1.1, "#4c9a4a"),
      leaf(444, 282, 80, 0.9, "#5fb055"),
      tomato(440, 60, 26),
      tomato(50, 320, 22),
    ],
  ),
  scene(
    "burger-fries",
    "A cheeseburger comes with french fries and a cold drink.",
    ["burger", "fries", "fast food", "lunch"],
    () => [
      rect(0, 0, 480, 250, downward("#f7d98f", "#f2c25c")),
      repeat(12, (i) =>
        polygon(`240,240 ${-200 + i * 80},-40 ${-160 + i * 80},-40`, "#ffffff", { opacity: 0.22 }),
      ),
      rect(0, 250, 480, 110, downward("#b5573a", "#8f3f2a")),
      ellipse(230, 318, 210, 24, "#10202c", { opacity: 0.25 }),
      rect(30, 296, 400, 24, "#f4efe4", { round: 12 }),
      burger(160, 298, { scale: 1.75 }),
      fries(312, 298, { scale: 1.35 }),
      glass(412, 298, { scale: 1.6 }, "#7a3a22"),
    ],
  ),
  scene(
    "sushi-platter",
    "An assortment of sushi is arranged on a black slate with chopsticks.",
    ["sushi", "japanese", "fish", "rice"],
    () => [
      tableTop("wood"),
      rect(46, 62, 380, 210, "#10202c", { round: 10, opacity: 0.3 }),
      rect(40, 54, 380, 210, downward("#4a525a", "#343b42"), { round: 10 }),
      [sushi(110, 106, "salmon"), sushi(200, 106, "tuna"), sushi(290, 106, "egg"), sushi(372, 106, "salmon")],
      [sushi(110, 164, "tuna"), sushi(200, 164, "salmon"), sushi(290, 164, "tuna"), sushi(372, 164, "egg")],
      repeat(6, (i) => sushi(92 + i * 54, 226, "maki")),
      at(60, 318, { rotate: -3 }, stroke("M0 0H300M6 12H300", "#7a2f22", 6)),
      [circle(416, 318, 30, "#f4f6f7"), circle(416, 318, 22, "#3a1f18")],
      path(wavyCircle(356, 320, 14, 7, 2), "#8fbf5a"),
    ],
  ),
  scene(
    "fried-breakfast",
    "Fried eggs, bacon and toast make up a hearty breakfast.",
    ["breakfast", "eggs", "bacon", "toast"],
    () => [
      tableTop("cloth"),
      plate(240, 182, 150, "#6f9dc4", "#93b8d6"),
      friedEgg(196, 152, 1.15),
      friedEgg(278, 130, 1.05),
      [0, 1].map((i) => [
        stroke(`M${190 + i * 10} ${222 + i * 30}q18 -14 34 0t34 0t34 0t30 -4`, "#b5402f", 17),
        stroke(`M${190 + i * 10} ${220 + i * 30}q18 -14 34 0t34 0t34 0t30 -4`, "#f3b9a0", 5),
      ]),
      at(
        142,
        224,
        { rotate: -16 },
        rect(-34, -34, 68, 66, "#b5793f", { round: 14 }),
        rect(-28, -28, 56, 54, "#eec388", { round: 10 }),
        rect(-12, -10, 24, 20, "#fbe58a", { round: 3 }),
      ),
      [tomato(336, 196, 24)],
      cutlery(44, 432, 190),
      [
        circle(420, 60, 44, "#ffffff"),
        circle(420, 60, 36, "#5b3420"),
        ellipse(412, 52, 12, 6, "#8a5a3a"),
        stroke("M462 50q16 10 0 24", "#ffffff", 8),
      ],
    ],
  ),
  scene(
    "ramen",
    "A steaming bowl of ramen noodles with egg, pork and spring onions.",
    ["ramen", "noodles", "soup", "japanese"],
    () => [
      rect(0, 0, 480, 360, downward("#7a2f2a", "#5a211f")),
      repeat(5, (i) => [rect(20 + i * 96, 0, 70, 90, "#f4efe4"), circle(55 + i * 96, 46, 22, "#c9302c")]),
      rect(0, 256, 480, 104, "#6b4429"),
      bowl(240, 336, { scale: 1.85 }, "#2b2f3a", "#d99a45", [
        repeat(8, (i) => stroke(`M${-70 + i * 14} ${-62 + (i % 3) * 3}q12 -16 26 -2t26 -4`, "#f7e0a0", 4)),
        ellipse(-46, -80, 22, 12, "#fffdf6"),
        ellipse(-45, -80, 10, 6, "#f5a61f"),
        ellipse(34, -82, 28, 11, "#b5694a", { rotate: 8 }),
        ellipse(50, -74, 26, 10, "#c67a58", { rotate: 8 }),
        rect(-12, -112, 30, 34, "#1f3a30", { round: 2, rotate: -8 }),
        repeat(9, (i) =>
          circle(-20 + ((i * 19) % 60), -66 + ((i * 7) % 14), 4, "#7fbf5a", {
            stroke: "#4c8b3a",
            width: 1.4,
          }),
        ),
        ellipse(6, -84, 14, 8, "#fbf6f0"),
        stroke("M0 -85q6 -4 8 2q2 4 -4 4", "#f27aa0", 2.4),
      ]),
      stroke("M328 180L420 70M340 186L440 84", "#c9302c", 7),
      stroke(
        "M170 150c-14 -16 12 -26 -2 -50M240 140c-14 -16 12 -26 -2 -54M310 150c-14 -16 12 -26 -2 -50",
        "#ffffff",
        6,
        { opacity: 0.45 },
      ),
    ],
  ),
  scene(
    "green-salad",
    "A fresh salad with tomatoes, cucumber and feta in a wooden bowl.",
    ["salad", "vegetables", "healthy", "vegetarian"],
    () => [
      tableTop("marble"),
      ellipse(246, 196, 158, 150, "#10202c", { opacity: 0.22 }),
      circle(240, 184, 152, "#a5713f"),
      circle(240, 184, 140, "#7a4f2a"),
      scatter(7, 44, { x: 130, y: 74, w: 220, h: 220 }, (x, y, random) =>
        Math.hypot(x - 240, y - 184) > 116
          ? []
          : leaf(
              x,
              y,
              random() * 360,
              1.2 + random() * 0.7,
              pick(["#5aa446", "#7fc05c", "#3f8a3b", "#9ad070"], random),
            ),
      ),
      scatter(9, 13, { x: 150, y: 94, w: 180, h: 180 }, (x, y, random) => {
        if (Math.hypot(x - 240, y - 184) > 96) return [];
        if (random() < 0.4)
          return [
            circle(x, y, 19, "#3f8a3b"),
            circle(x, y, 16, "#d6efb8"),
            repeat(6, (i) => ellipse(x + Math.cos(i) * 7, y + Math.sin(i) * 7, 1.6, 2.6, "#f4f9e4")),
          ];
        return [
          circle(x, y, 16, "#d8322b"),
          circle(x, y, 12, "#ef6a5a"),
          circle(x - 4, y - 4, 2, "#fbe3c8"),
          circle(x + 4, y + 3, 2, "#fbe3c8"),
        ];
      }),
      scatter(4, 9, { x: 160, y: 100, w: 160, h: 170 }, (x, y, random) =>
        rect(x, y, 15, 13, "#fdfbf3", { round: 2, rotate: random() * 90 }),
      ),
      stroke("M400 320L330 236M446 60L340 130", "#c99a62", 9),
      ellipse(326, 230, 18, 11, "#d9ae78", { rotate: 50 }),
      [
        circle(60, 310, 26, "#f7e24a"),
        circle(60, 310, 20, "#fdf3a8"),
        repeat(6, (i) =>
          stroke(`M60 310L${60 + Math.cos(i * 1.05) * 18} ${310 + Math.sin(i * 1.05) * 18}`, "#f7e24a", 2),
        ),
      ],
    ],
  ),
  scene(
    "bread-cheese",
    "A loaf of crusty bread and a wedge of cheese on a cutting board.",
    ["bread", "cheese", "bakery", "board"],
    () => [
      tableTop("board"),
      ellipse(200, 206, 110, 10, "#10202c", { opacity: 0.2 }),
      bread(196, 204, { scale: 1.2 }),
      cheese(350, 262, { scale: 0.95 }),
      [0, 1, 2].map((i) => [
        path(
          `M${108 + i * 46} 262C${96 + i * 46} 236 ${104 + i * 46} 222 ${124 + i * 46} 222C${146 + i * 46} 222 ${152 + i * 46} 236 ${142 + i * 46} 262Z`,
          "#b5793f",
        ),
        path(
          `M${113 + i * 46} 257C${104 + i * 46} 238 ${110 + i * 46} 228 ${124 + i * 46} 228C${140 + i * 46} 228 ${145 + i * 46} 238 ${137 + i * 46} 257Z`,
          "#f6dcae",
        ),
      ]),
      grapes(398, 130, { scale: 0.9 }),
      at(
        300,
        96,
        { rotate: 8 },
        rect(-90, -6, 110, 15, "#d7dde2", { round: 4 }),
        rect(20, -8, 60, 19, "#5b3a22", { round: 7 }),
      ),
    ],
  ),
  scene(
    "barbecue",
    "Sausages and vegetable skewers sizzle on a barbecue grill.",
    ["barbecue", "grill", "sausages", "outdoors", "cooking"],
    () => [
      sky("day"),
      leafyTree(60, 210, 1.3),
      leafyTree(430, 206, 1.2),
      meadow(196, 6),
      shadow(240, 344, 130),
      stroke("M150 250L120 344M330 250L360 344", "#3a3f47", 9),
      path("M90 190H390C390 270 330 288 240 288C150 288 90 270 90 190Z", downward("#33373d", "#1f2226")),
      ellipse(240, 190, 152, 36, "#2a1d1a"),
      ellipse(240, 192, 136, 28, radial("#c9541c", "#3a1a14")),
      repeat(12, (i) =>
        stroke(
          `M${124 + i * 21} ${190 - Math.sqrt(Math.max(0, 1 - ((i - 5.5) / 6.5) ** 2)) * 32}V${190 + Math.sqrt(Math.max(0, 1 - ((i - 5.5) / 6.5) ** 2)) * 32}`,
          "#8f969f",
          3,
        ),
      ),
      [
        stroke("M150 186L200 172", "#d9734a", 18),
        stroke("M170 208L224 194", "#e08255", 18),
        stroke("M216 176L262 164", "#d9734a", 18),
        stroke("M156 182l8 8M176 176l8 8M186 204l8 8M206 198l8 8", "#5b2a18", 3),
      ],
      at(310, 190, { rotate: -14 }, stroke("M-70 0H80", "#c99a62", 3), [
        rect(-46, -11, 20, 22, "#d8322b", { round: 4 }),
        rect(-22, -11, 20, 22, "#f2c230", { round: 4 }),
        circle(10, 0, 12, "#a5713f"),
        rect(26, -11, 20, 22, "#5aa446", { round: 4 }),
      ]),
      stroke(
        "M190 140c-14 -16 12 -26 -2 -50M260 132c-14 -16 12 -26 -2 -54M330 140c-14 -16 12 -26 -2 -50",
        "#ffffff",
        8,
        { opacity: 0.45 },
      ),
    ],
  ),
];
