import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";

const HOST = "127.0.0.1";
/** Below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152 elsewhere). */
const FIRST = 20_000;
const LAST = 32_000;

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/**
 * Ports of 127.0.0.1 that are free, for processes that have to know each other's ports before they start. No outgoing connection
 * can take one of them meanwhile, as it could a port that the system has chosen for a listener.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (!found.has(port) && (await isPortFree(port))) found.add(port);
  }
  return [...found];
}

/** Who listens on a port, e.g. "process 4711 (python3 -m http.server)"; undefined where the system does not tell. */
export async function whoListens(port: number): Promise<string | undefined> {
  const inode = await listenerInode(port);
  if (inode === undefined) return undefined;
  const target = `socket:[${inode}]`;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    // Processes end while one looks, and others' files are closed to us.
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(
      descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
    );
    if (!links.includes(target)) continue;
    const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""))
      .split("\0")
      .filter((word) => word !== "")
      .join(" ");
    return `process ${pid} (${command.length > 80 ? `${command.slice(0, 77)}...` : command})`;
  }
  return undefined;
}

/** See proc_net(5): the local address is hexadecimal `address:port`, state 0A is LISTEN, the tenth field is the inode. */
async function listenerInode(port: number): Promise<string | undefined> {
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const lines = (await readFile(table, "utf8").catch(() => "")).split("\n").slice(1);
    for (const line of lines) {
      const fields = line.trim().split(/\s+/);
      const localPort = Number.parseInt(fields[1]?.split(":")[1] ?? "", 16);
      if (localPort === port && fields[3] === "0A") return fields[9];
    }
  }
  return undefined;
}
