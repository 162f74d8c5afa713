/** The part of package-lock.json (version 3) that is read here. */
export interface Lockfile {
  packages: Record<string, LockedPackage>;
}

interface LockedPackage {
  name?: string;
  /** True for a workspace's entry below node_modules; `resolved` is its folder then. */
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

export interface ProductionPackage {
  /** Folder from the repository's root, e.g. "node_modules/pg"; of a workspace the link's. */
  location: string;
  /** Where the link points to, from the repository's root. */
  workspace: string | undefined;
  /** Packages for other platforms are named in the lock file and not installed. */
  optional: boolean;
}

/**
 * What `npm install --omit=dev --workspace=NAME` installs by the lock file: the workspace, the workspaces that it depends on, and
 * everything that they need to run. Sorted by location.
 * @throws Error when the lock file does not name a package that is needed
 */
export function productionPackages(lock: Lockfile, workspace: string): ProductionPackage[] {
  const found = new Map<string, ProductionPackage>();
  const add = (location: string, optional: boolean): void => {
    if (found.has(location)) return;
    const entry = lock.packages[location] as LockedPackage;
    const folder = entry.link ? entry.resolved : undefined;
    found.set(location, { location, workspace: folder, optional });
    const home = folder ?? location;
    const { dependencies, optionalDependencies, ...peers } = lock.packages[home] as LockedPackage;
    const needed = [
      ...Object.keys(dependencies ?? {}).map((name) => ({ name, optional: false })),
      ...Object.keys(optionalDependencies ?? {}).map((name) => ({ name, optional: true })),
      ...Object.keys(peers.peerDependencies ?? {})
        .filter((name) => !peers.peerDependenciesMeta?.[name]?.optional)
        .map((name) => ({ name, optional: false })),
    ];
    for (const { name, optional: mayBeMissing } of needed) {
      const resolved = resolve(lock, home, name);
      if (resolved !== undefined) add(resolved, optional || mayBeMissing);
      else if (!mayBeMissing) throw new Error(`package-lock.json has no ${name}, which ${home} needs`);
    }
  };
  const start = `node_modules/${workspace}`;
  if (lock.packages[start] === undefined) throw new Error(`package-lock.json has no workspace ${workspace}`);
  add(start, false);
  return [...found.values()].toSorted((a, b) => a.location.localeCompare(b.location));
}

/** As Node looks a package up: in the node_modules of the folder and of every one above it. */
function resolve(lock: Lockfile, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")))) {
    const location = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (lock.packages[location] !== undefined) return location;
    if (folder === "") return undefined;
  }
}
