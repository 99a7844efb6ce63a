// Runs the journeys, all against one installation, and stops it whatever happens.
// `node run.js [file…]`; the results stand in artifacts/.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { artifacts, Installation } from "./installation.js";

rmSync(artifacts, { recursive: true, force: true });
const files = process.argv.slice(2);
if (files.length === 0) files.push(...readdirSync("journeys").sort().map((name) => join("journeys", name)));

const here = await Installation.prepare("up");
try {
  await here.start().ready();
  const { url, dataDir, log, group } = here;
  const runner = spawn(process.execPath, ["--test", "--test-reporter=spec", "--test-concurrency=1", ...files], {
    stdio: "inherit",
    env: { ...process.env, E2E_INSTALLATION: JSON.stringify({ url, dataDir, log, group }) },
  });
  // An interrupted run stops what it started, too.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(signal).on(signal, () => runner.kill("SIGTERM"));
  const [code] = await once(runner, "exit");
  process.exitCode = code ?? 1;
} finally {
  await here.remove();
}
