// Which processes belong to an installation, as the system sees them.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync } from "node:fs";

/**
 * processesOf lists the living processes that work on a data directory: those
 * that were told of it, and those that stand in it (the database server's).
 * Elsewhere than on Linux only command lines are known.
 */
export function processesOf(dataDir) {
  return all().filter(({ pid, command }) => pid !== process.pid && (command.includes(dataDir) || standsIn(pid, dataDir) || wasToldOf(pid, dataDir)));
}

/** all lists every process but those that ended and wait to be reaped. */
export function all() {
  const lines = execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,stat=,command="], { encoding: "utf8", maxBuffer: 64 << 20 }).trim().split("\n");
  return lines
    .map((line) => line.trim().match(/^(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/))
    .filter((match) => match && !match[3].startsWith("Z"))
    .map(([, pid, parent, , command]) => ({ pid: Number(pid), parent: Number(parent), command }));
}

const linux = existsSync("/proc/self/environ");

function standsIn(pid, dataDir) {
  return linux && attempt(() => readlinkSync(`/proc/${pid}/cwd`).startsWith(dataDir));
}

function wasToldOf(pid, dataDir) {
  const told = (pair) => /^VIVIFIED_(DATA_DIR|PLUGIN_STATE)=/.test(pair) && pair.includes(`=${dataDir}`);
  return linux && attempt(() => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").some(told));
}

function attempt(ask) {
  try {
    return ask();
  } catch {
    return false; // it has just ended, or is another user's
  }
}
