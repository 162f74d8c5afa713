/** What a service tells its parent over the IPC channel. */
export type ServiceMessage = ReadyMessage | FailedMessage;

/** The service serves now; carries what only the running process knows, such as the ports it was given. */
export interface ReadyMessage {
  type: "ready";
  name: string;
  [key: string]: string | number;
}

/** The service could not start; `message` is for people. */
export interface FailedMessage {
  type: "failed";
  name: string;
  message: string;
}

export function isServiceMessage(value: unknown): value is ServiceMessage {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    (value.type === "ready" || (value.type === "failed" && "message" in value))
  );
}
