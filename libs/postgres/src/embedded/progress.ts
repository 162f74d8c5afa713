/** What a starting server is at; `done` and `total` are bytes where they are known. */
export interface Progress {
  phase: "download" | "unpack" | "initialise" | "start" | "ready";
  done?: number;
  total?: number;
}

export type ReportProgress = (progress: Progress) => void;
