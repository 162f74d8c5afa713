import { usePolled } from "./use-polled.ts";

const EVERY_MS = 5000;
const STATES: Record<string, string> = {
  SERVING: "serving",
  NOT_SERVING: "not serving",
  UNREACHABLE: "cannot be reached",
};

async function readiness(signal: AbortSignal): Promise<Record<string, string>> {
  // 503 says that a service is away; which one stands in the body all the same.
  const response = await fetch("/readyz", { signal });
  return ((await response.json()) as { services: Record<string, string> }).services;
}

export function Health() {
  const { value, error } = usePolled(readiness, EVERY_MS);
  if (error !== undefined) {
    return (
      <p className="health" role="status">
        <span className="service down">Kindred cannot be reached: is it running?</span>
      </p>
    );
  }
  return (
    <ul className="health" aria-label="Services">
      {Object.entries(value ?? {}).map(([name, state]) => (
        <li
          key={name}
          className={state === "SERVING" ? "service up" : "service down"}
          title={STATES[state] ?? state}
        >
          {name}
          <span className="visually-hidden"> {STATES[state] ?? state}</span>
        </li>
      ))}
    </ul>
  );
}
