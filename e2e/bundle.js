// Plugins as files, made by the command that everybody makes them with.
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { binary, environment } from "./installation.js";

/** The media type of a .vvplugin. */
export const type = "application/vnd.vivified.plugin.v1+tar";

/** keyPair is a key to sign plugins with, and its public half, in PEM. */
export function keyPair() {
  return generateKeyPairSync("ed25519", { publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
}

/**
 * pack makes the bytes of a .vvplugin.
 * @param {object} manifest
 * @param {Record<string, string>} files beside the manifest, by their paths
 * @param {string} [key] in PEM, that signs it
 */
export function pack(manifest, files = {}, key) {
  const dir = mkdtempSync(join(tmpdir(), "vivified-pack-"));
  try {
    const run = (...args) => execFileSync(binary, args, { env: environment({ HOME: dir }), stdio: "pipe" });
    for (const [path, text] of Object.entries({ ...files, "manifest.json": JSON.stringify(manifest) })) {
      mkdirSync(dirname(join(dir, "plugin", path)), { recursive: true });
      writeFileSync(join(dir, "plugin", path), text, { mode: 0o755 });
    }
    const file = join(dir, "one.vvplugin");
    run("pack", join(dir, "plugin"), "--file", file);
    if (key) {
      writeFileSync(join(dir, "key"), key, { mode: 0o600 });
      run("sign", file, "--key", join(dir, "key"));
    }
    return readFileSync(file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
