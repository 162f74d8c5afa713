export { serve, type RpcServer, type ServeOptions } from "./serve.ts";
export { serverSettings, type ServerConfig } from "./server-settings.ts";
