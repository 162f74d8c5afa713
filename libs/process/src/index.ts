export { runService, type RunningService, type RunServiceOptions } from "./run-service.ts";
export {
  superviseProcess,
  type Backoff,
  type ProcessState,
  type SupervisedProcess,
  type SuperviseOptions,
} from "./supervise-process.ts";
export { runTask, TaskError, type TaskOptions } from "./run-task.ts";
export { resolvePlaces, type Places } from "./places.ts";
export { freePorts, isPortFree, whoListens } from "./ports.ts";
export { lockFile, readLock, type ProcessLock } from "./process-lock.ts";
export { readJson, syncFolder, writeWhole } from "./whole-file.ts";
export {
  anyPorts,
  defaultPorts,
  repositoryPath,
  SERVICES,
  startProcesses,
  type ProcessStack,
  type ServiceName,
  type ServiceSpec,
  type StackOptions,
  type StackPorts,
} from "./stack.ts";
export type { ReadyMessage } from "./messages.ts";
