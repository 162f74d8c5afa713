import { pick, randomNumbers, repeat, scatter } from "../drawing/scatter.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

// Each stands on (x, y).

export function house(
  x: number,
  y: number,
  place: Placement,
  c: { wall?: string; roof?: string; door?: string; window?: string; snow?: boolean } = {},
): Drawing {
  const { wall = "#f3e3c6", roof = "#b4513c", door = "#6b4226", window = "#bfe0f2", snow = false } = c;
  return at(
    x,
    y,
    place,
    rect(22, -98, 14, 30, "#8a5a4a"),
    rect(-46, -58, 92, 58, wall),
    polygon("-56,-56 0,-98 56,-56", snow ? "#f4f9fd" : roof),
    snow ? path("M20 -98H38V-92H20Z", "#f4f9fd") : [],
    rect(-11, -34, 22, 34, door, { round: 2 }),
    circle(6, -16, 1.6, "#f0d27a"),
    rect(-38, -44, 20, 20, window, { stroke: "#ffffff", width: 2.5 }),
    rect(18, -44, 20, 20, window, { stroke: "#ffffff", width: 2.5 }),
    stroke("M-28 -44v20M-38 -34h20M28 -44v20M18 -34h20", "#ffffff", 1.8),
    rect(-46, -4, 92, 4, "#00000018"),
  );
}

export function logCabin(x: number, y: number, place: Placement, lit = true): Drawing {
  const glass = lit ? "#ffd978" : "#a9cfe2";
  return at(
    x,
    y,
    place,
    rect(26, -108, 16, 40, "#7d7f86"),
    repeat(6, (i) => rect(-58, -60 + i * 10, 116, 10, i % 2 ? "#8a5a34" : "#9c6a3f", { round: 4 })),
    polygon("-72,-56 0,-104 72,-56", "#5b3d26"),
    polygon("-72,-56 0,-104 72,-56 66,-50 0,-94 -66,-50", "#f4f9fd"),
    rect(-12, -38, 24, 38, "#5b3d26", { round: 2 }),
    rect(-46, -42, 22, 20, glass, { stroke: "#4a3020", width: 3 }),
    rect(24, -42, 22, 20, glass, { stroke: "#4a3020", width: 3 }),
    stroke("M-35 -42v20M-46 -32h22M35 -42v20M24 -32h22", "#4a3020", 2),
  );
}

export function church(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    rect(-20, -54, 88, 54, "#f0e9da"),
    polygon("-24,-54 24,-84 74,-54", "#8a4b3c"),
    rect(-52, -98, 36, 98, "#f6f0e2"),
    polygon("-56,-98 -34,-146 -12,-98", "#6e3a30"),
    stroke("M-34 -162V-146M-40 -156H-28", "#c9a13c", 2.6),
    circle(-34, -80, 9, "#ffffff", { stroke: "#6e3a30", width: 2.4 }),
    stroke("M-34 -80V-86M-34 -80H-30", "#333", 1.6),
    path("M-42 0V-22C-42 -34 -26 -34 -26 -22V0Z", "#6b4226"),
    repeat(3, (i) =>
      path(`M${-6 + i * 24} -14V-32C${-6 + i * 24} -42 ${6 + i * 24} -42 ${6 + i * 24} -32V-14Z`, "#7fb0d0"),
    ),
  );
}

export function castle(x: number, y: number, place: Placement, stone = "#a7a29a"): Drawing {
  const shade = "#8b867f";
  const tower = (tx: number, w: number, h: number, roof: string): Drawing => [
    rect(tx - w / 2, -h, w, h, stone),
    rect(tx + w * 0.18, -h, w * 0.32, h, shade, { opacity: 0.5 }),
    polygon(`${tx - w * 0.68},${-h} ${tx},${-h - w * 1.35} ${tx + w * 0.68},${-h}`, roof),
    rect(tx - 3, -h + 14, 6, 14, "#3b3a42", { round: 3 }),
    rect(tx - 3, -h + 44, 6, 14, "#3b3a42", { round: 3 }),
    stroke(`M${tx} ${-h - w * 1.35}v-14`, "#5a4a3c", 1.8),
    polygon(
      `${tx},${-h - w * 1.35 - 14} ${tx + 15},${-h - w * 1.35 - 10} ${tx},${-h - w * 1.35 - 5}`,
      "#d9413a",
    ),
  ];
  return at(
    x,
    y,
    place,
    tower(-30, 30, 132, "#4f6a8f"),
    tower(34, 28, 120, "#4f6a8f"),
    rect(-96, -62, 192, 62, stone),
    repeat(12, (i) => rect(-96 + i * 16.6, -72, 9, 12, stone)),
    scatter(3, 26, { x: -88, y: -54, w: 168, h: 46 }, (bx, by) =>
      rect(bx, by, 11, 5, shade, { opacity: 0.45, round: 1 }),
    ),
    tower(-96, 34, 92, "#3f5678"),
    tower(96, 34, 92, "#3f5678"),
    path("M-17 0V-26C-17 -46 17 -46 17 -26V0Z", "#4a382b"),
    stroke("M-10 0V-36M0 0V-40M10 0V-36M-16 -14H16M-16 -26H16", "#2f241c", 1.6),
  );
}

export function windmill(x: number, y: number, place: Placement, turn = 20): Drawing {
  return at(
    x,
    y,
    place,
    polygon("-26,0 26,0 17,-88 -17,-88", "#e9e1d2"),
    polygon("6,0 26,0 17,-88 4,-88", "#cfc5b3"),
    path("M-20 -86C-18 -108 18 -108 20 -86Z", "#8a4b35"),
    rect(-8, -24, 16, 24, "#6b4226", { round: 2 }),
    circle(-2, -56, 6, "#7fb0d0", { stroke: "#ffffff", width: 2 }),
    at(
      0,
      -92,
      { rotate: turn },
      repeat(4, (i) =>
        at(
          0,
          0,
          { rotate: i * 90 },
          stroke("M0 0V-78", "#6b4226", 3.4),
          rect(2, -76, 17, 54, "#f9f4e8", { stroke: "#a58c6b", width: 1.6 }),
          stroke("M10 -76V-22M2 -62H19M2 -48H19M2 -34H19", "#a58c6b", 1.2),
        ),
      ),
      circle(0, 0, 5, "#4a3020"),
    ),
  );
}

export function lighthouse(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    polygon("-24,0 24,0 15,-122 -15,-122", "#fbfaf5"),
    polygon("-22.4,-22 22.4,-22 20.2,-52 -20.2,-52", "#d5352f"),
    polygon("-18.2,-80 18.2,-80 16,-108 -16,-108", "#d5352f"),
    polygon("6,0 24,0 15,-122 4,-122", "#000000", { opacity: 0.1 }),
    rect(-21, -128, 42, 7, "#343b45", { round: 2 }),
    rect(-12, -148, 24, 20, "#fff0b0"),
    stroke("M-12 -148V-128M-4 -148V-128M4 -148V-128M12 -148V-128", "#343b45", 1.8),
    path("M-15 -148C-12 -164 12 -164 15 -148Z", "#d5352f"),
    path("M-7 0V-14C-7 -24 7 -24 7 -14V0Z", "#4a3020"),
  );
}

/** A row of towers from side to side. */
export function skyline(
  seed: number,
  y: number,
  colours: readonly string[],
  lights?: string,
  height = 130,
): Drawing {
  const random = randomNumbers(seed);
  const towers: Drawing[] = [];
  for (let x = -10; x < 490;) {
    const w = 26 + random() * 30;
    const h = height * (0.35 + random() * 0.65);
    const colour = pick(colours, random);
    towers.push(rect(x, y - h, w, h + 2, colour));
    if (random() > 0.66)
      towers.push(
        rect(x + w / 2 - 1.5, y - h - 22, 3, 22, colour),
        circle(x + w / 2, y - h - 22, 2, "#e5484d"),
      );
    else if (random() > 0.5)
      towers.push(polygon(`${x},${y - h} ${x + w / 2},${y - h - 16} ${x + w},${y - h}`, colour));
    if (lights) {
      for (let wy = y - h + 8; wy < y - 8; wy += 11) {
        for (let wx = x + 5; wx < x + w - 6; wx += 9) {
          if (random() > 0.45) towers.push(rect(wx, wy, 4.5, 6, lights, { opacity: 0.5 + random() * 0.5 }));
        }
      }
    }
    x += w + random() * 5;
  }
  return towers;
}

/** A row of old town houses, about 300 wide. */
export function townhouses(x: number, y: number, scale = 1, lit = false): Drawing {
  const walls = ["#d9835b", "#e7c25f", "#8fb09a", "#c96f6f", "#8aa6c4"];
  const glass = lit ? "#ffdc86" : "#cfe6f2";
  return at(
    x,
    y,
    { scale },
    walls.map((wall, i) => {
      const h = 104 + ((i * 37) % 3) * 16;
      const left = -150 + i * 60;
      return [
        rect(left, -h, 60, h, wall),
        i % 2 === 0
          ? polygon(`${left},${-h} ${left + 30},${-h - 36} ${left + 60},${-h}`, "#7a4338")
          : path(
              `M${left} ${-h}H${left + 60}V${-h - 8}H${left + 46}V${-h - 18}H${left + 38}V${-h - 28}H${left + 22}V${-h - 18}H${left + 14}V${-h - 8}H${left}Z`,
              wall,
            ),
        repeat(2, (r) =>
          repeat(2, (j) =>
            rect(left + 10 + j * 24, -h + 14 + r * 30, 16, 20, glass, { stroke: "#ffffff", width: 2 }),
          ),
        ),
        rect(left + 22, -30, 16, 30, "#5a3a2b", { round: 2 }),
      ];
    }),
  );
}

export function pyramid(x: number, y: number, w: number, h: number): Drawing {
  return [
    polygon(`${x - w / 2},${y} ${x},${y - h} ${x + w * 0.16},${y}`, "#e0b569"),
    polygon(`${x + w * 0.16},${y} ${x},${y - h} ${x + w / 2},${y}`, "#b98a45"),
    repeat(7, (i) => {
      const t = (i + 1) / 8;
      return stroke(
        `M${x - (w / 2) * t} ${y - h * (1 - t)}L${x + w * 0.16 * t} ${y - h * (1 - t)}L${x + (w / 2) * t} ${y - h * (1 - t)}`,
        "#8f6a33",
        1,
        { opacity: 0.5 },
      );
    }),
  ];
}

export function pagoda(x: number, y: number, place: Placement): Drawing {
  const floor = (i: number): Drawing => {
    const w = 44 - i * 7;
    const top = -26 - i * 32;
    return [
      rect(-w, top, w * 2, 24, "#c9403a"),
      rect(-w, top + 10, w * 2, 3, "#8f2622"),
      repeat(3, (j) => rect(-w * 0.6 + j * w * 0.5, top + 5, w * 0.26, 16, "#fbe7b8")),
      path(
        `M${-w - 18} ${top - 1}C${-w} ${top - 3} ${-w * 0.6} ${top - 10} ${-w * 0.5} ${top - 12}H${w * 0.5}C${w * 0.6} ${top - 10} ${w} ${top - 3} ${w + 18} ${top - 1}Q${w + 22} ${top - 6} ${w + 20} ${top - 9}Q${w} ${top + 6} 0 ${top + 5}Q${-w} ${top + 6} ${-w - 20} ${top - 9}Q${-w - 22} ${top - 6} ${-w - 18} ${top - 1}Z`,
        "#39464f",
      ),
    ];
  };
  return at(
    x,
    y,
    place,
    rect(-58, -6, 116, 6, "#9a938a"),
    repeat(5, floor),
    stroke("M0 -166V-194", "#c9a13c", 3),
    circle(0, -178, 3.6, "#c9a13c"),
  );
}

export function igloo(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-66 0C-66 -76 54 -76 54 0Z", downward("#ffffff", "#cfe0ee")),
    stroke(
      "M-62 -20H50M-52 -38H42M-32 -52H22M-40 0V-20M-14 0V-20M12 0V-20M-28 -20V-38M0 -20V-38M26 -20V-38M-12 -38V-52M12 -38V-52",
      "#a9c2d6",
      2,
    ),
    path("M26 0V-24C26 -44 74 -44 74 -24V0Z", downward("#f4f9fd", "#bcd2e4")),
    path("M36 0V-18C36 -34 66 -34 66 -18V0Z", "#31465c"),
  );
}

export function ferrisWheel(x: number, y: number, place: Placement): Drawing {
  const colours = ["#e5484d", "#f2b92e", "#4bb3a4", "#4f86d9", "#b06bd0"];
  return at(
    x,
    y,
    place,
    stroke("M0 -104L-46 0M0 -104L46 0", "#6b7480", 7),
    circle(0, -104, 78, "none", { stroke: "#e6ebf0", width: 4 }),
    circle(0, -104, 62, "none", { stroke: "#e6ebf0", width: 2 }),
    repeat(12, (i) => {
      const a = (i / 12) * Math.PI * 2;
      const [cx, cy] = [Math.cos(a) * 78, -104 + Math.sin(a) * 78];
      return [
        stroke(`M0 -104L${cx} ${cy}`, "#e6ebf0", 1.8),
        path(
          `M${cx - 9} ${cy + 4}H${cx + 9}C${cx + 9} ${cy + 18} ${cx - 9} ${cy + 18} ${cx - 9} ${cy + 4}Z`,
          colours[i % 5] as string,
        ),
        stroke(`M${cx - 9} ${cy + 4}Q${cx} ${cy - 6} ${cx + 9} ${cy + 4}`, colours[i % 5] as string, 2.4),
      ];
    }),
    circle(0, -104, 9, "#f2b92e"),
  );
}

export function marketStall(
  x: number,
  y: number,
  place: Placement,
  colours: readonly [string, string],
  goods: Drawing,
): Drawing {
  return at(
    x,
    y,
    place,
    rect(-58, -104, 5, 104, "#7a5233"),
    rect(53, -104, 5, 104, "#7a5233"),
    rect(-58, -104, 116, 72, "#00000022"),
    goods,
    rect(-62, -40, 124, 40, "#a5713f"),
    stroke("M-62 -26H62M-62 -13H62", "#80552d", 1.8),
    repeat(8, (i) =>
      path(
        `M${-68 + i * 17} -112L${-64 + i * 16} -130H${-48 + i * 16}L${-51 + i * 17} -112V-104Q${-59.5 + i * 17} -94 ${-68 + i * 17} -104Z`,
        colours[i % 2] as string,
      ),
    ),
  );
}

export function fence(x: number, y: number, w: number, colour = "#e9dcc3", h = 34): Drawing {
  return [
    rect(x, y - h * 0.78, w, 4, colour),
    rect(x, y - h * 0.36, w, 4, colour),
    repeat(Math.floor(w / 22) + 1, (i) => path(`M${x + i * 22} ${y}V${y - h + 4}l4 -5l4 5V${y}Z`, colour)),
  ];
}

export function bench(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    repeat(3, (i) => rect(-56, -52 + i * 9, 112, 6, "#a8713f", { round: 2 })),
    rect(-58, -24, 116, 7, "#b98049", { round: 2 }),
    stroke("M-46 -50V0M46 -50V0M-56 -18V0M56 -18V0", "#3d4249", 4),
  );
}

export function lampPost(x: number, y: number, place: Placement, lit = false): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M0 0V-100", "#33383e", 5),
    rect(-9, -6, 18, 6, "#33383e", { round: 2 }),
    lit
      ? circle(0, -112, 40, {
          kind: "radial",
          angle: 0,
          stops: [
            { offset: 0, colour: "#ffe39a", opacity: 0.7 },
            { offset: 1, colour: "#ffe39a", opacity: 0 },
          ],
        })
      : [],
    polygon("-9,-120 9,-120 6,-102 -6,-102", lit ? "#ffe9ae" : "#dfe7ec"),
    path("M-11 -120L0 -130L11 -120Z", "#33383e"),
  );
}

export function bridge(x: number, y: number, place: Placement): Drawing {
  const red = "#c2452d";
  const cable = (from: number, to: number, sag: number) =>
    stroke(`M${from} -104Q${(from + to) / 2} ${sag} ${to} -104`, red, 3);
  return at(
    x,
    y,
    place,
    rect(-96, -112, 12, 124, red),
    rect(84, -112, 12, 124, red),
    stroke("M-96 -84H-84M-96 -60H-84M84 -84H96M84 -60H96", "#8f2f1d", 3),
    cable(-90, 90, 60),
    stroke("M-90 -104Q-150 -40 -250 -30M90 -104Q150 -40 250 -30", red, 3),
    repeat(17, (i) => {
      const t = (i - 8) / 8;
      return stroke(`M${t * 82} ${-22 - 76 * t * t}V-18`, red, 1.2);
    }),
    rect(-250, -22, 500, 9, "#8f2f1d"),
    rect(-250, -24, 500, 3, red),
    ellipse(-90, 12, 16, 4, "#9a938a"),
    ellipse(90, 12, 16, 4, "#9a938a"),
  );
}
