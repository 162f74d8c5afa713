import { parseArgs } from "node:util";
import { ConnectError } from "@connectrpc/connect";
import { connect } from "./connect.ts";
import { tellStory } from "./story.ts";

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "http://127.0.0.1:8080" },
    out: { type: "string", default: "." },
    prompt: { type: "string", default: "a cat that sleeps on a sofa" },
    k: { type: "string", default: "4" },
  },
});

try {
  await tellStory(connect(values.url), {
    prompt: values.prompt,
    k: Number(values.k),
    folder: values.out,
    tell: (line) => process.stdout.write(`${line}\n`),
  });
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  process.stderr.write(`error: Kindred at ${values.url} (another place: --url): ${error.rawMessage}\n`);
  process.exitCode = 1;
}
