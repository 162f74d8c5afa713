import { timestampDate } from "@bufbuild/protobuf/wkt";
import type {
  PreviewRetentionResponse,
  RetentionPolicy,
  RetentionPolicyState,
} from "@kindred/contracts/generation-tracking/v1";
import { formatAgo, formatCount, plural } from "../../terminal/format.ts";
import { renderPairs, renderTableOrBlocks } from "../../terminal/table.ts";
import type { Terminal } from "../../terminal/terminal.ts";
import { renderGenerations, timeText } from "../render-generation.ts";
import { statusName } from "../status.ts";
import { spanText } from "./policy-options.ts";

/** "older than 90d, or not among the newest 1,000" */
export function limitsText({ maxAge, maxCount, statuses }: RetentionPolicy): string {
  const limits = [
    ...(maxAge ? [`older than ${spanText(maxAge)}`] : []),
    ...(maxCount === undefined
      ? []
      : [maxCount === 0n ? "all" : `not among the newest ${formatCount(maxCount)}`]),
  ].join(", or ");
  return [...statuses.map(statusName), limits].join(" ");
}

/** "rated 4 or better, labelled keep, parents"; empty where nothing is kept. */
export function keptText({ keepRating, keepLabels, keepParents }: RetentionPolicy): string {
  return [
    ...(keepRating === undefined ? [] : [keepRating === 5 ? "rated 5" : `rated ${keepRating} or better`]),
    ...(keepLabels.length > 0 ? [`labelled ${keepLabels.join(" or ")}`] : []),
    ...(keepParents ? ["parents"] : []),
  ].join(", ");
}

export function renderPolicies(
  terminal: Terminal,
  policies: readonly RetentionPolicyState[],
  now: Date,
): string {
  return renderTableOrBlocks(
    terminal,
    [
      { title: "policy" },
      { title: "goes", shrinks: true },
      { title: "is kept", shrinks: true },
      { title: "every" },
      { title: "last applied" },
      { title: "deleted", align: "right" },
      { title: "operation", align: "right" },
    ],
    policies.flatMap(({ policy, lastAppliedAt, lastDeleted, operationId }) =>
      policy
        ? [
            [
              policy.name,
              limitsText(policy),
              keptText(policy),
              policy.every ? spanText(policy.every) : "",
              lastAppliedAt ? formatAgo(timestampDate(lastAppliedAt), now) : "never",
              lastAppliedAt ? formatCount(lastDeleted) : "",
              operationId === 0n ? "" : `g${operationId}`,
            ],
          ]
        : [],
    ),
  );
}

export function renderPreview(terminal: Terminal, preview: PreviewRetentionResponse): string {
  const { count, total, byStatus, oldest, newest, samples, kept } = preview;
  const statuses = byStatus.map((each) => `${formatCount(each.count)} ${statusName(each.status)}`).join(", ");
  const pairs = renderPairs(terminal, [
    ["would go", `${formatCount(count)} of ${plural(total, "generation")}${statuses && `: ${statuses}`}`],
    ["kept", `${formatCount(kept)} that would go but for what keeps them`],
    ...(oldest ? [["oldest", timeText(oldest)] as const] : []),
    ...(newest ? [["newest", timeText(newest)] as const] : []),
  ]);
  if (samples.length === 0) return pairs;
  const more =
    count > samples.length
      ? `\n ${terminal.colors.dim(`and ${formatCount(count - BigInt(samples.length))} more`)}`
      : "";
  return `${pairs}\n\n${renderGenerations(terminal, samples)}${more}`;
}
