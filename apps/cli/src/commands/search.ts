import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { plainSearch, renderSearch } from "../vectors/render-search.ts";
import {
  addSearchOptions,
  QUERY_HELP,
  readSearchRequest,
  type SearchOptions,
} from "../vectors/search-request.ts";
import { shapeOf } from "../vectors/shape-of.ts";
import type { AddCommand } from "./command.ts";

const EXAMPLES = `
Examples:
  kindred search "a cat playing" -k 5 --threshold 0.5
  kindred search --image-id 12 -k 3               what is like image 12
  kindred search "rain" --json | jq -r '.hits[].image.image_path'
  kindred search "a slow song" -c songs --where 'year >= 1990 and not exists(deleted)'
  kindred search "beach" -c photos --also "sunset^0.5" --unlike "people"
  kindred search "late night" -c songs --hybrid "midnight or moon" --group-by artist
  kindred search --key 4711 -c songs --diverse 0.7 --fields title,artist`;

export const addSearchCommand: AddCommand = (program, run) => {
  addSearchOptions(program.command("search [query]"))
    .description("find pictures, or the items of any collection, by meaning")
    .addHelpText("after", `${QUERY_HELP}\n${EXAMPLES}`)
    .action((query: string | undefined, options: SearchOptions, command) =>
      run(command, (context) => search(context, query, options)),
    );
};

export const IMAGES = "images";

async function search(context: Context, query: string | undefined, options: SearchOptions): Promise<void> {
  const { terminal } = context;
  const request = await readSearchRequest(query, options);
  const clients = openClients(context);
  const collection = options.collection ?? IMAGES;
  const shape = options.showVector ? await shapeOf(clients, collection) : undefined;
  const startedAt = performance.now();
  const reply = await clients.search.search(request);
  const elapsedMs = performance.now() - startedAt;
  if (context.json) terminal.json(plainSearch(reply, shape));
  else {
    const view = {
      images: collection === IMAGES,
      hybrid: options.hybrid !== undefined,
      grouped: options.groupBy !== undefined,
      shape,
    };
    terminal.result(renderSearch(terminal, reply, elapsedMs, view));
  }
}
