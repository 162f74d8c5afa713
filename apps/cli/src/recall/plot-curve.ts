import type { RecallPoint } from "@kindred/contracts/vector-store/v1";

const HEIGHT = 9;
const LABEL_WIDTH = 6;

type Point = Pick<RecallPoint, "effort" | "recall">;

/**
 * A small plot in text: effort to the right, one column a point, as efforts grow by factors; recall upwards. The target is a dashed line.
 * Lines have no colour and no space at their end.
 */
export function plotCurve(points: readonly Point[], target: number): string[] {
  if (points.length === 0) return [];
  const lowest = Math.min(target, ...points.map(({ recall }) => recall));
  const step = Math.max((1 - lowest) / (HEIGHT - 1), 0.0005);
  /** 0 is the highest line. */
  const lineOf = (recall: number): number =>
    Math.min(HEIGHT - 1, Math.max(0, Math.round((1 - recall) / step)));
  const column = Math.max(...points.map(({ effort }) => String(effort).length)) + 2;
  const targetLine = lineOf(target);
  const lines = Array.from({ length: HEIGHT }, (_, i) => {
    const isTarget = i === targetLine;
    const cells = points
      .map(({ recall }) => {
        const fill = isTarget ? "┄" : " ";
        return `${fill.repeat(column - 1)}${lineOf(recall) === i ? "●" : fill}`;
      })
      .join("");
    const label = isTarget ? target : 1 - i * step;
    return `${label.toFixed(3).padStart(LABEL_WIDTH)} ${isTarget ? "┼" : "┤"}${cells}${isTarget ? " target" : ""}`;
  });
  const efforts = points.map(({ effort }) => String(effort).padStart(column)).join("");
  const margin = " ".repeat(LABEL_WIDTH + 1);
  return [...lines, `${margin}└${"─".repeat(column * points.length)}`, `${margin} ${efforts}  effort`].map(
    (line) => line.trimEnd(),
  );
}
