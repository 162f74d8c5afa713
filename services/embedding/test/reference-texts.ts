/**
 * Texts written for this project with the first eight components of their vectors, from the float32 model, which agrees with
 * sentence-transformers on ../shared/data/minilm/golden.json to a cosine of 0.999999999998 on every text.
 */
export const REFERENCE_TEXTS = [
  {
    text: "",
    tokens: 2,
    truncated: false,
    vector: [-0.1188384, 0.0482987, -0.0025481, -0.0110112, 0.0519508, 0.0102917, 0.1154332, 0.0007007],
  },
  {
    text: "A cat sleeps on the sofa.",
    tokens: 9,
    truncated: false,
    vector: [0.1645468, -0.0697055, -0.0501076, 0.0512215, 0.0022744, 0.0426253, -0.0357752, -0.0276629],
  },
  {
    text: "Ein Käfer krabbelt über 3 Ziegelsteine – langsam!",
    tokens: 20,
    truncated: false,
    vector: [-0.1080124, 0.0358391, -0.0260296, -0.0567147, -0.0821449, 0.0701886, 0.1246547, 0.014017],
  },
  {
    text: "北京的秋天 Привет ΟΔΟΣ 🎨",
    tokens: 18,
    truncated: false,
    vector: [0.0618229, 0.0995654, 0.0722587, 0.0001315, -0.0756545, 0.06217, 0.1217011, 0.0038505],
  },
  {
    text: "rain ".repeat(400).trim(),
    tokens: 256,
    truncated: true,
    vector: [-0.073228, -0.0089006, 0.0575496, -0.0228723, 0.0025821, -0.0049556, 0.0405622, -0.0849389],
  },
];

const SUBJECTS = [
  "A cat",
  "Two dogs",
  "An old man",
  "The red bus",
  "Snow",
  "A bowl of soup",
  "My neighbour's bicycle",
];
const VERBS = ["rests on", "runs past", "waits beside", "falls over", "belongs near", "was painted next to"];
const PLACES = [
  "the sofa",
  "a wet street in Lisbon",
  "the tennis court",
  "an open kitchen window",
  "the harbour, at night",
];

/** As many different sentences as asked for, of five to some twenty tokens. */
export function sentences(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const pick = (words: readonly string[], step: number) =>
      words[Math.floor(i / step) % words.length] as string;
    return `${pick(SUBJECTS, 1)} ${pick(VERBS, 7)} ${pick(PLACES, 42)}, scene ${i}.`;
  });
}
