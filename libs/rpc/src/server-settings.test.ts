import { expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { serverSettings } from "./server-settings.ts";

const schema = serverSettings({ grpcPort: 50051, httpPort: 8081 });

test("the defaults are for one machine: loopback, nobody else's pages, no waiting", () => {
  expect(loadConfig(schema, {})).toEqual({
    HOST: "127.0.0.1",
    GRPC_PORT: 50051,
    HTTP_PORT: 8081,
    LOG_LEVEL: "info",
    CORS_ORIGINS: [],
    MAX_MESSAGE_BYTES: 32 * 2 ** 20,
    SHUTDOWN_GRACE: 0,
    DRAIN_TIMEOUT: 20_000,
  });
});

test("origins are a list", () => {
  const origins = (text: string) => loadConfig(schema, { CORS_ORIGINS: text }).CORS_ORIGINS;
  expect(origins("https://a.example, http://localhost:5173,")).toEqual([
    "https://a.example",
    "http://localhost:5173",
  ]);
  expect(origins("*")).toEqual(["*"]);
});

test.each(["https://a.example/", "a.example", "https://a.example/path", "HTTPS://A.example"])(
  "%s is no origin that a browser would send",
  (text) => {
    expect(() => loadConfig(schema, { CORS_ORIGINS: text })).toThrow("CORS_ORIGINS must be origins");
  },
);
