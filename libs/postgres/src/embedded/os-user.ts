import { readFileSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { KindredError } from "@kindred/errors";
import { runCommand } from "./run-command.ts";

/** The user a server runs as. */
export interface OsUser {
  uid: number;
  gid: number;
  name: string;
}

/** Users of whom nothing else is expected, the best first. */
const UNPRIVILEGED = ["postgres", "nobody"];

/**
 * Who shall run PostgreSQL, which refuses to run as root: undefined means ourselves, when we are not root.
 * PostgreSQL looks its user up by number, so it has to be one that the system knows.
 * @throws KindredError failed-precondition when we are root and there is no such user.
 */
export function unprivilegedUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const known = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of UNPRIVILEGED) {
    const entry = known.find((fields) => fields[0] === name);
    if (entry) return { name, uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new KindredError(
    "failed-precondition",
    `PostgreSQL does not run as root, and the system has no user ${UNPRIVILEGED.join(" or ")} to run it as`,
  );
}

/** Makes a folder with what is missing above it, for others to enter whatever our umask; what was there stays as it is. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = resolve(folder); made.length >= first.length; made = dirname(made))
    await chmod(made, 0o755);
}

/**
 * Makes sure that this user can stand in the folder: every folder above it has to let them through.
 * @throws KindredError failed-precondition naming folder and user.
 */
export async function requireEnterable(folder: string, user: OsUser | undefined): Promise<void> {
  if (!user) return;
  try {
    await runCommand("/bin/sh", ["-c", 'cd -- "$1"', "sh", folder], { as: user, cwd: "/" });
  } catch (error) {
    throw new KindredError(
      "failed-precondition",
      `the user ${user.name}, who runs the database because root may not, cannot enter ${folder}: ` +
        "choose another folder, such as one below /var/lib",
      { cause: error },
    );
  }
}
