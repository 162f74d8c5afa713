import { useState } from "react";
import { SearchMethod, type SearchHit, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import { durationText, milliseconds } from "./format.ts";

interface Props {
  response: SearchResponse;
  /** A newer search is under way. */
  stale: boolean;
  onLike: (imageId: bigint) => void;
}

export function Results({ response, stale, onLike }: Props) {
  const { hits } = response;
  return (
    <section aria-label="Results" aria-busy={stale} className={stale ? "results stale" : "results"}>
      <p className="how" role="status">
        {hits.length === 0
          ? "Nothing is that similar."
          : `${hits.length} ${hits.length === 1 ? "picture" : "pictures"}`}
        <span>{howAnswered(response)}</span>
      </p>
      {hits.length === 0 && (
        <p className="hint">
          Lower the similarity, say it in other words, or add pictures: kindred add FILE --caption "…"
        </p>
      )}
      <ol className="grid">
        {hits.map((hit) => (
          <li key={`${hit.image?.id}/${hit.embeddingId}`}>
            <Card hit={hit} onLike={onLike} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** E.g. "exact · text to vector 6 ms · database 2 ms". */
function howAnswered({ plan, timings }: SearchResponse): string {
  const parts: string[] = [];
  switch (plan?.method) {
    case SearchMethod.EXACT:
      parts.push("exact: every vector compared");
      break;
    case SearchMethod.HNSW:
      parts.push(`HNSW index, ef_search ${plan.efSearch}`);
      break;
    case SearchMethod.EXACT_FALLBACK:
      parts.push("exact, because the index gave too few");
      break;
  }
  if (plan?.complete === false) parts.push("may be incomplete");
  const embed = milliseconds(timings?.embed);
  if (embed !== undefined && embed > 0) parts.push(`text to vector ${durationText(embed)}`);
  const database = milliseconds(timings?.database);
  if (database !== undefined) parts.push(`database ${durationText(database)}`);
  return parts.join(" · ");
}

function Card({ hit, onLike }: { hit: SearchHit; onLike: (imageId: bigint) => void }) {
  const [missing, setMissing] = useState(false);
  const { image } = hit;
  if (image === undefined) return null;
  const text = typeof hit.metadata?.["text"] === "string" ? hit.metadata["text"] : "";
  const caption = image.description || text || image.imagePath;
  return (
    <article className="card">
      <button
        type="button"
        className="picture"
        title="Find pictures like this one"
        aria-label={`Find pictures like: ${caption}`}
        onClick={() => onLike(image.id)}
      >
        {missing ? (
          <span className="placeholder">{caption}</span>
        ) : (
          <img
            src={`/media/${image.imagePath.split("/").map(encodeURIComponent).join("/")}`}
            alt={caption}
            width={image.width ?? 480}
            height={image.height ?? 360}
            loading="lazy"
            onError={() => setMissing(true)}
          />
        )}
      </button>
      <div className="card-text">
        <p className="caption">{caption}</p>
        {text !== "" && text !== caption && <p className="matched">matched: {text}</p>}
        <p className="facts">
          <meter min="0" max="1" value={Math.max(0, hit.similarity)} aria-label="Similarity" />
          <data value={hit.similarity}>{hit.similarity.toFixed(3)}</data>
          {image.tags.slice(0, 3).map((tag) => (
            <span className="tag" key={tag}>
              {tag}
            </span>
          ))}
        </p>
      </div>
    </article>
  );
}
