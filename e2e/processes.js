// Which processes belong to an installation, as the system sees them.
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";

/**
 * processesOf lists the living processes that work on a data directory: those
 * that were told of it, and those that stand in it (the database server's).
 */
export function processesOf(dataDir) {
  const marks = [`VIVIFIED_DATA_DIR=${dataDir}`, `VIVIFIED_PLUGIN_STATE=${dataDir}/`, `-D ${dataDir}`];
  const wasTold = ({ pid, command }) => marks.some((mark) => command.includes(mark)) || (linux && environmentOf(pid).some((pair) => marks.some((mark) => pair.startsWith(mark))));
  const standsIn = ({ pid }) => linux && workingDirectoryOf(pid).startsWith(dataDir);
  return all().filter((one) => one.pid !== process.pid && (wasTold(one) || standsIn(one)));
}

const linux = process.platform === "linux";

/** all lists every process but those that ended and wait to be reaped. */
function all() {
  // Elsewhere than on Linux the environment stands behind the command.
  const flags = linux ? [] : ["-E"];
  const lines = execFileSync("ps", [...flags, "-A", "-ww", "-o", "pid=,stat=,command="], { encoding: "utf8", maxBuffer: 64 << 20 }).trim().split("\n");
  return lines
    .map((line) => line.trim().match(/^(\d+)\s+(\S+)\s+(.*)$/))
    .filter((match) => match && !match[2].startsWith("Z"))
    .map(([, pid, , command]) => ({ pid: Number(pid), command }));
}

// A process that has just ended, or is another user's, has nothing to read.

function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function workingDirectoryOf(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
