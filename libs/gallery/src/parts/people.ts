import {
  at,
  circle,
  ellipse,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

import type { Limb, Pose } from "./poses.ts";

export interface Looks {
  skin?: string;
  hair?: string;
  hairStyle?: "short" | "long" | "bun" | "bald" | "cap" | "helmet" | "sunhat" | "chef" | "beanie" | "hardhat";
  shirt?: string;
  /** Lower arms stay bare. */
  shortSleeves?: boolean;
  trousers?: string;
  /** Lower legs stay bare. */
  shorts?: boolean;
  shoes?: string;
  /** A dress or skirt of this colour. */
  skirt?: string;
  hat?: string;
  face?: "front" | "right" | "none";
}

export const SKIN = { fair: "#f3c9a5", tan: "#d99f72", brown: "#a86c44", deep: "#74472c" } as const;

export function person(x: number, y: number, place: Placement, pose: Pose, looks: Looks = {}): Drawing {
  const {
    skin = SKIN.fair,
    shirt = "#4a86c5",
    trousers = "#39465a",
    shoes = "#2b2d35",
    face = "front",
  } = looks;
  const leg = (limb: Limb, far: boolean): Drawing => {
    const [knee, foot] = limb;
    const [hx, hy] = [pose.hips[0] + (far ? -3 : 3), pose.hips[1]];
    const calf = looks.shorts || looks.skirt ? skin : trousers;
    return [
      stroke(`M${knee.join(" ")}L${foot[0]} ${foot[1] - 4}`, calf, 8),
      stroke(`M${hx} ${hy}L${knee.join(" ")}`, looks.skirt ? skin : trousers, 10),
      ellipse(foot[0] + 3, foot[1] - 2.6, 7.5, 3.6, shoes),
    ];
  };
  const arm = (limb: Limb, far: boolean): Drawing => {
    const [elbow, hand] = limb;
    const sx = pose.shoulders[0] + Math.sign(elbow[0] - pose.shoulders[0] || (far ? -1 : 1)) * 7;
    const upper = `M${sx} ${pose.shoulders[1] + 4}L${elbow.join(" ")}`;
    return [
      stroke(
        `M${elbow.join(" ")}L${hand.join(" ")}`,
        looks.shortSleeves ? skin : shirt,
        looks.shortSleeves ? 5.6 : 6.6,
      ),
      stroke(upper, shirt, 7.4),
      circle(hand[0], hand[1], 4, skin),
    ];
  };
  const [sx, sy] = pose.shoulders;
  const [hx, hy] = pose.hips;
  const lean = Math.atan2(sx - hx, hy - sy) * (180 / Math.PI);
  const torso = at(
    hx,
    hy,
    { rotate: lean },
    path(
      `M-9 4C-11 -10 -12 ${sy - hy + 8} -11 ${sy - hy + 2}Q0 ${sy - hy - 5} 11 ${sy - hy + 2}C12 ${sy - hy + 8} 11 -10 9 4Z`,
      shirt,
    ),
  );
  return at(
    x,
    y,
    place,
    arm(pose.arms[0], true),
    leg(pose.legs[0], true),
    leg(pose.legs[1], false),
    torso,
    looks.skirt
      ? polygon(
          `${hx - 9},${hy - 6} ${hx + 9},${hy - 6} ${hx + 17},${hy + 22} ${hx - 17},${hy + 22}`,
          looks.skirt,
        )
      : [],
    stroke(`M${sx} ${sy}L${pose.head.join(" ")}`, skin, 7),
    at(pose.head[0], pose.head[1], {}, head(skin, looks, face)),
    arm(pose.arms[1], false),
  );
}

/** A head of radius 10 about the origin. */
export function head(skin: string, looks: Looks = {}, face: "front" | "right" | "none" = "front"): Drawing {
  const { hair = "#3a2a20", hairStyle = "short", hat = "#c9403f" } = looks;
  const dx = face === "right" ? 4 : 0;
  const features: Drawing =
    face === "none"
      ? []
      : [
          circle(dx - 3.4, -0.5, 1.2, "#2a2422"),
          circle(dx + 3.4, -0.5, 1.2, "#2a2422"),
          stroke(`M${dx - 2.6} 4q2.6 2.2 5.2 0`, "#8d4437", 1.2),
        ];
  const top = path("M-10.6 -1C-12 -14 12 -14 10.6 -1C8 -6 3 -7 -2 -6.5C-6 -6 -9 -5 -10.6 -1Z", hair);
  const behind: Drawing =
    hairStyle === "long"
      ? path("M-11 -3C-13 -15 13 -15 11 -3C12 6 13 12 10 17C4 13 -4 13 -10 17C-13 12 -12 6 -11 -3Z", hair)
      : hairStyle === "bun"
        ? circle(-3, -13, 5.6, hair)
        : [];
  const over: Record<NonNullable<Looks["hairStyle"]>, Drawing> = {
    short: top,
    long: top,
    bun: top,
    bald: [],
    cap: [path("M-10.6 -3C-10 -14 10 -14 10.6 -3Z", hat), path("M4 -4H18C18 -7 12 -8 6 -8Z", hat)],
    helmet: [
      path("M-11.6 -1C-12 -16 12 -16 11.6 -1C6 -4 -6 -4 -11.6 -1Z", hat),
      stroke("M-5 -11q5 -3 10 0", "#ffffff", 1.6, { opacity: 0.7 }),
    ],
    sunhat: [
      ellipse(0, -5.5, 19, 4.6, hat),
      path("M-9.6 -6C-9 -17 9 -17 9.6 -6Z", hat),
      rect(-9.8, -8, 19.6, 2.8, "#7a5230"),
    ],
    chef: [
      path("M-9 -5L-10 -14C-17 -18 -10 -27 -3 -23C0 -28 8 -27 8 -22C16 -24 17 -16 10 -14L9 -5Z", "#ffffff"),
      rect(-9.4, -8, 18.8, 4, "#e6e9ec"),
    ],
    beanie: [
      path("M-10.8 -2C-11 -16 11 -16 10.8 -2Z", hat),
      rect(-11.4, -5, 22.8, 4.6, "#ffffff", { round: 2 }),
      circle(0, -15, 3.4, "#ffffff"),
    ],
    hardhat: [
      path("M-10.6 -4C-10.6 -16 10.6 -16 10.6 -4Z", "#f5c02f"),
      rect(-13, -6, 26, 3.4, "#dba51f", { round: 1.6 }),
    ],
  };
  // Seen from behind there is hair where the face would be.
  const round = face === "none" && hairStyle !== "bald" ? hair : skin;
  return [behind, circle(0, 0, 10, round), features, over[hairStyle]];
}

/** Lying with knees bent is for beds; this one swims: arms out, half under water. */
export function swimmer(
  x: number,
  y: number,
  place: Placement,
  cap = "#e5484d",
  skin: string = SKIN.tan,
): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-8 -2C6 -26 26 -28 38 -8", skin, 7),
    path("M-46 4C-30 -8 -6 -8 6 0L4 6H-46Z", skin),
    circle(12, -7, 9, skin),
    path("M3 -8C2 -20 20 -20 21 -10Z", cap),
    rect(13, -9, 8, 4, "#24405c", { round: 2 }),
    ellipse(-2, 6, 54, 5, "#ffffff", { opacity: 0.6 }),
    ellipse(38, -4, 8, 3, "#ffffff", { opacity: 0.7 }),
  );
}
