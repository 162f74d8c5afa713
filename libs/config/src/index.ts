export {
  CONFIG_EXIT_CODE,
  ConfigError,
  loadConfig,
  readEnvironment,
  type ConfigOf,
  type Schema,
} from "./load-config.ts";
export {
  boolean,
  bytes,
  choice,
  duration,
  integer,
  number,
  optional,
  text,
  url,
  urls,
  type Field,
} from "./fields.ts";
export { setNativeVariable } from "./native-variable.ts";
