import { expect, test } from "@jest/globals";
import { configurationFile, serverSettings } from "./server-settings.ts";

const GIB = 2 ** 30;
const host = { memoryBytes: 16 * GIB, diskFreeBytes: 500 * GIB, sharedMemoryBytes: 8 * GIB };

test("settings follow the machine, within bounds", () => {
  expect(serverSettings(host)).toMatchObject({
    shared_buffers: "2048MB",
    maintenance_work_mem: "1024MB",
    max_wal_size: "4096MB",
  });
  expect(
    serverSettings({ memoryBytes: 2 * GIB, diskFreeBytes: 5 * GIB, sharedMemoryBytes: undefined }),
  ).toMatchObject({
    shared_buffers: "512MB",
    maintenance_work_mem: "128MB",
    max_wal_size: "512MB",
  });
  expect(
    serverSettings({ memoryBytes: GIB / 4, diskFreeBytes: GIB, sharedMemoryBytes: undefined }),
  ).toMatchObject({
    shared_buffers: "128MB",
    maintenance_work_mem: "64MB",
    max_wal_size: "256MB",
  });
});

test("a container's small /dev/shm is not used for parallel index builds", () => {
  expect(serverSettings(host)).not.toHaveProperty("dynamic_shared_memory_type");
  expect(serverSettings({ ...host, sharedMemoryBytes: 64 * 2 ** 20 })).toMatchObject({
    dynamic_shared_memory_type: "sysv",
  });
});

test("values are quoted for postgresql.conf", () => {
  expect(configurationFile({ work_mem: "4MB", note: "it's" })).toBe("work_mem = '4MB'\nnote = 'it''s'\n");
});
