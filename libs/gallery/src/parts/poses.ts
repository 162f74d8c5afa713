export type Point = readonly [number, number];
/** The joint in the middle and the end: elbow and hand, or knee and foot. */
export type Limb = readonly [Point, Point];

/** Joints of a person about 104 high, feet on y = 0, facing right where a side matters. */
export interface Pose {
  head: Point;
  shoulders: Point;
  hips: Point;
  /** Far and near. */
  arms: readonly [Limb, Limb];
  legs: readonly [Limb, Limb];
}

/** Elbow and hand, or knee and foot. */
export function limb(jointX: number, jointY: number, endX: number, endY: number): Limb {
  return [
    [jointX, jointY],
    [endX, endY],
  ];
}

const STANDING: Pose = {
  head: [0, -93],
  shoulders: [0, -77],
  hips: [0, -46],
  arms: [limb(-13, -62, -14, -47), limb(13, -62, 14, -47)],
  legs: [limb(-5, -23, -6, 0), limb(5, -23, 6, 0)],
};

export const POSES = {
  standing: STANDING,
  cheering: {
    ...STANDING,
    arms: [limb(-16, -88, -15, -108), limb(16, -88, 15, -108)],
  },
  waving: {
    ...STANDING,
    arms: [limb(-13, -62, -14, -47), limb(17, -84, 20, -104)],
  },
  walking: {
    ...STANDING,
    arms: [limb(8, -62, 16, -52), limb(-10, -62, -12, -48)],
    legs: [limb(8, -24, 14, 0), limb(-4, -24, -16, -2)],
  },
  running: {
    head: [10, -92],
    shoulders: [6, -76],
    hips: [-2, -47],
    arms: [limb(18, -62, 32, -68), limb(-12, -64, -16, -48)],
    legs: [limb(-14, -26, -34, -22), limb(16, -34, 14, -4)],
  },
  kicking: {
    head: [-10, -92],
    shoulders: [-6, -76],
    hips: [-2, -47],
    arms: [limb(-22, -68, -34, -74), limb(10, -66, 22, -74)],
    legs: [limb(-4, -23, -8, 0), limb(16, -34, 36, -20)],
  },
  /** Seat at (0, -38) or so. */
  sitting: {
    head: [2, -90],
    shoulders: [0, -74],
    hips: [-2, -44],
    arms: [limb(10, -58, 24, -56), limb(10, -56, 26, -52)],
    legs: [limb(22, -42, 22, -2), limb(26, -40, 28, 0)],
  },
  reaching: {
    ...STANDING,
    arms: [limb(14, -68, 28, -66), limb(16, -64, 32, -60)],
  },
  crouching: {
    head: [14, -66],
    shoulders: [8, -52],
    hips: [-8, -28],
    arms: [limb(24, -44, 36, -40), limb(22, -38, 36, -34)],
    legs: [limb(14, -24, 4, 0), limb(18, -22, 12, 0)],
  },
  bending: {
    head: [30, -74],
    shoulders: [20, -66],
    hips: [-4, -46],
    arms: [limb(26, -48, 34, -34), limb(22, -46, 30, -30)],
    legs: [limb(-6, -23, -8, 0), limb(4, -24, 4, 0)],
  },
  swinging: {
    head: [-2, -93],
    shoulders: [0, -77],
    hips: [0, -46],
    arms: [limb(14, -84, 26, -98), limb(18, -80, 28, -96)],
    legs: [limb(-10, -24, -16, 0), limb(10, -24, 16, 0)],
  },
} as const satisfies Record<string, Pose>;
