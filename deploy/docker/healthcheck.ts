// usage: node deploy/docker/healthcheck.ts URL        exit code 0 when it answers 2xx within 2 s
// The images have neither curl nor wget. Kubernetes asks the gRPC health service instead and does not need this.
const [url] = process.argv.slice(2);
if (url === undefined) throw new Error("usage: node deploy/docker/healthcheck.ts URL");
const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
process.stdout.write(`${response.status} ${await response.text()}\n`);
process.exitCode = response.ok ? 0 : 1;
