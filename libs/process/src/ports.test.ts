import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { freePorts, isPortFree, whoListens } from "./ports.ts";

test("a port with a listener is not free, and its listener is named where the system tells", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await isPortFree(port)).toBe(false);
  const told = (await whoListens(port)) ?? "the system does not tell";
  expect(told).toMatch(process.platform === "linux" ? `process ${process.pid} (` : "");
  server.close();
  await once(server, "close");
  expect(await isPortFree(port)).toBe(true);
  expect(await whoListens(port)).toBeUndefined();
});

test("a listener on all addresses takes the port, too", async () => {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  expect(await isPortFree((server.address() as AddressInfo).port)).toBe(false);
  server.close();
});

test("free ports are different, free, and not those of outgoing connections", async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  for (const port of ports) {
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_000);
    expect(await isPortFree(port)).toBe(true);
  }
});
