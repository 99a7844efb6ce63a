// A Vivified installation: `bin/vivified up` on free ports and a data directory
// of its own, and what a test asks of it from outside.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Api } from "./api.js";
import { processesOf } from "./processes.js";
import { until } from "./until.js";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const artifacts = join(root, "e2e", "artifacts");
export const binary = join(root, "bin", "vivified");

/** setupToken is fixed, so that a test can use the link without reading it anywhere. */
export const setupToken = "e2e-setup-token-of-at-least-thirty-two-characters";

/** administrator is the first person of an installation. */
export const administrator = { email: "grace@hopper.test", name: "Grace Hopper", password: "a nanosecond is a foot of wire" };

/** everySoOften is the pause between two requests for a greeting. */
const everySoOften = "700ms";

/** freePort returns a port of the loopback address that nothing listens on now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** environment is this one without anything that would reach a core by accident. */
export function environment(more = {}) {
  const mine = Object.entries(process.env).filter(([name]) => !/^(VIVIFIED_|DATABASE_URL$|NATS_URL$|PG|NODE_)/.test(name));
  return { ...Object.fromEntries(mine), NO_COLOR: "1", ...more };
}

/** stopAtExit has a run that is interrupted, or fails hard, leave nothing behind. */
function stopAtExit(child) {
  const stop = () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGTERM");
  };
  process.once("exit", stop);
  child.once("exit", () => process.off("exit", stop));
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/** Installation is one data directory, and what runs on it. */
export class Installation {
  constructor({ url, dataDir, log, group = 0 }) {
    this.url = url;
    this.dataDir = dataDir;
    this.log = log;
    this.group = group; // process group and id of `up`
    this.api = new Api(url);
  }

  /** prepare chooses a port and makes an empty data directory. */
  static async prepare(name) {
    mkdirSync(artifacts, { recursive: true });
    const dataDir = mkdtempSync(join(tmpdir(), "vivified-e2e-"));
    return new Installation({ url: `http://127.0.0.1:${await freePort()}`, dataDir, log: join(artifacts, `${name}.log`) });
  }

  /**
   * start runs `up`, or another command that comes to the same, as a terminal
   * would: in a process group of its own.
   */
  start(command = [binary, "up"]) {
    const log = openSync(this.log, "a");
    this.child = spawn(command[0], command.slice(1), {
      cwd: root,
      detached: true,
      stdio: ["ignore", log, log],
      env: environment({
        VIVIFIED_LISTEN: new URL(this.url).host,
        VIVIFIED_DATA_DIR: this.dataDir,
        VIVIFIED_SETUP_TOKEN: setupToken,
        VIVIFIED_HELLO_INTERVAL: everySoOften,
      }),
    });
    closeSync(log);
    this.group = this.child.pid;
    stopAtExit(this.child);
    this.ended = once(this.child, "exit").then(([code, signal]) => ({ code, signal }));
    this.began = performance.now();
    return this;
  }

  /** output is everything that was printed so far. */
  output() {
    return readFileSync(this.log, "utf8");
  }

  /** lines are what one process of the Procfile printed. */
  lines(process) {
    const of = new RegExp(`^${process}\\s+\\| (.*)$`);
    return this.output()
      .split("\n")
      .map((line) => line.match(of)?.[1])
      .filter((line) => line !== undefined);
  }

  /** ready returns once the core says so, with the milliseconds since start. */
  async ready(within = 60_000) {
    const isReady = async () => (await this.api.get("/health/ready")).status === 200;
    await Promise.race([
      until("the core to be ready", isReady, within),
      this.ended.then(() => Promise.reject(new Error(`up ended instead of getting ready:\n${this.output().split("\n").slice(-12).join("\n")}`))),
    ]);
    return performance.now() - this.began;
  }

  /** alive returns once a greeting went all the way: event, call, page, event. */
  async alive(within = 30_000) {
    const sent = () => this.lines("hello-greeter").filter((line) => / sent in /.test(line)).length;
    const before = sent();
    await until("a greeting to be sent", () => sent() > before, within);
  }

  /** press sends a signal to the whole group, as Ctrl-C at a terminal does, and returns how long it took to end. */
  async press(signal = "SIGINT") {
    const began = performance.now();
    process.kill(-this.group, signal);
    const how = await this.ended;
    return { ...how, took: performance.now() - began };
  }

  /** processes are all that work on the data directory. */
  processes() {
    return processesOf(this.dataDir);
  }

  /** core is the process id of the core. */
  core() {
    return this.processes().find(({ command }) => /vivified serve\b/.test(command))?.pid;
  }

  /** remove stops what runs and deletes the data directory. */
  async remove() {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) await this.press("SIGTERM");
    // What a failed test left behind must not outlive the run.
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // it has ended meanwhile
    }
    await until("nothing to run on the data directory", () => this.processes().length === 0);
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** setUp makes the first administrator unless there is one. */
  async setUp() {
    const answer = await this.api.post("/setup", { token: setupToken, ...administrator });
    if (answer.status !== 201 && answer.status !== 410) throw new Error(`setup was answered ${answer}`);
  }

  /** signIn returns the API for a person. */
  async signIn({ email, password } = administrator) {
    const answer = await this.api.post("/auth/login", { email, password });
    if (answer.status !== 200) throw new Error(`signing in as ${email} was answered ${answer}`);
    return this.api.as(answer.json.token);
  }

  /** plugin returns what the API says of a plugin. */
  async plugin(api, id) {
    return (await api.get(`/plugins/${id}`)).json;
  }
}

/**
 * installation returns the one of this run, or, where a file is run by itself,
 * one for it alone, which ends with the file.
 */
export async function installation(after) {
  if (process.env.E2E_INSTALLATION) return new Installation(JSON.parse(process.env.E2E_INSTALLATION));
  return apart(after, "up");
}

/** apart is an installation of a journey's own; its log is called name. */
export async function apart(after, name) {
  const own = (await Installation.prepare(name)).start();
  after(() => own.remove());
  await own.ready();
  return own;
}
