// Verifies an export of the audit in this browser, which need not believe the
// server for it: each record by its hash, each chain by its links, the whole by the
// signed manifest. Package audit defines the form; VerifyExport does the same.
(() => {
  "use strict";
  const encoder = new TextEncoder();
  const most = 256 << 20; // bytes: the hash over all of them needs them at once

  // JCS (RFC 8785): sorted members, and otherwise as ECMAScript writes JSON.
  const canonical = (value) => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  };
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const sha256 = (data) => crypto.subtle.digest("SHA-256", data);
  // A time is hashed with six decimals; JSON leaves zeros at the end out.
  const micros = (at) => at.replace(/(\.\d+)?Z$/, (_, fraction) => `${(fraction ?? ".").padEnd(7, "0")}Z`);

  const join = (...parts) => {
    const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };

  class Bad extends Error {}

  /** chains follows each chain record by record. */
  class Chains {
    last = new Map(); // chain to {first, seq, hash, count}
    count = 0;

    async take(line, number) {
      let record;
      try {
        record = JSON.parse(line);
      } catch {
        throw new Bad(`Line ${number} is no record.`);
      }
      const { hash, prev_hash: previous, ...rest } = record ?? {};
      const { chain, seq } = rest;
      if (typeof hash !== "string" || typeof previous !== "string" || !Number.isSafeInteger(seq)) throw new Bad(`Line ${number} is no record.`);
      const name = `Record ${seq} of ${chain}`;
      const before = this.last.get(chain);
      if (before && seq <= before.seq) throw new Bad(`${name} stands after record ${before.seq}: it was put there, twice or out of order.`);
      if (base64(await sha256(join(bytes(previous), encoder.encode(canonical(rest))))) !== hash) throw new Bad(`${name} was changed: its content does not have the hash it bears.`);
      if (before?.seq === seq - 1 && before.hash !== previous) throw new Bad(`${name} does not follow record ${before.seq}: one of the two was replaced.`);
      this.last.set(chain, { first: before?.first ?? seq, seq, hash, count: (before?.count ?? 0) + 1, previous: before?.previous ?? previous });
      this.count++;
    }

    /** counted holds what was read against what the manifest says was written. */
    counted(manifest) {
      for (const { chain, count, first, last } of manifest.chains) {
        const read = this.last.get(chain) ?? { count: 0, first: 0, seq: 0 };
        if (read.count !== count || read.first !== first || read.seq !== last)
          throw new Bad(`The export held ${count} records of ${chain}, ${first} to ${last}; it holds ${read.count}, ${read.first} to ${read.seq}.`);
      }
      if (manifest.count !== this.count) throw new Bad(`The export held ${manifest.count} records; it holds ${this.count}.`);
    }
  }

  /** signed returns whether the core's key signed what is a context and a value. */
  async function signed(context, value, keys, wrong) {
    const { kid, sig, ...rest } = value;
    const key = keys.find((one) => one.kid === kid);
    if (!kid || !key) return false;
    const known = await crypto.subtle.importKey("jwk", { kty: key.kty, crv: key.crv, x: key.x }, "Ed25519", false, ["verify"]);
    const message = encoder.encode(`${context}\n${canonical({ ...rest, at: micros(rest.at) })}`);
    if (!(await crypto.subtle.verify("Ed25519", known, bytes(sig), message))) throw new Bad(wrong);
    return true;
  }

  /** begun holds each chain whose beginning was purged against the mark it begins after. */
  async function begun(marks, chains, keys) {
    for (const mark of marks) {
      const { chain, last } = mark;
      const read = chains.last.get(chain);
      await signed("vivified audit purge v1", mark, keys, `The mark that says what of ${chain} was purged is not signed by the core.`);
      if (!read || read.first > last + 1) throw new Bad(`Record ${last + 1} of ${chain} is missing: the chain begins with it since the purge.`);
      if (read.first <= last) throw new Bad(`Record ${read.first} of ${chain} was purged, and is there again.`);
      if (read.previous !== mark.hash) throw new Bad(`Record ${last + 1} of ${chain} does not follow the last record that was purged.`);
    }
  }

  /** verify reads an export from a stream of bytes and tells how far it is. */
  async function verify(stream, keys, tell) {
    const chains = new Chains();
    const parts = [];
    let size = 0;
    let rest = new Uint8Array();
    let number = 0;
    let manifest;
    const take = async (line) => {
      number++;
      if (manifest) throw new Bad("Something follows the manifest, which must be the last line.");
      const text = new TextDecoder("utf-8", { fatal: true }).decode(line);
      if (text.startsWith('{"manifest":')) {
        try {
          ({ manifest } = JSON.parse(text));
        } catch {
          throw new Bad("The manifest is not as it was written.");
        }
        return;
      }
      parts.push(line);
      await chains.take(text, number);
      if (number % 500 === 0) tell(`${chains.count.toLocaleString("en")} records so far`);
    };
    const reader = stream.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        size += value.length;
        if (size > most) throw new Bad("The export is larger than a browser can verify; use vivified audit verify.");
        rest = join(rest, value);
        let from = 0;
        for (let end; (end = rest.indexOf(10, from)) >= 0; from = end + 1) await take(rest.slice(from, end + 1));
        rest = rest.slice(from);
      }
      if (rest.length) await take(rest);
    } catch (error) {
      if (error instanceof TypeError && error.message.includes("decod")) throw new Bad(`Line ${number} is not UTF-8.`);
      throw error;
    } finally {
      reader.cancel().catch(() => {});
    }
    if (!manifest) throw new Bad("The export ends before its manifest: records may be missing.");
    chains.counted(manifest);
    if (base64(await sha256(join(...parts))) !== manifest.sha256) throw new Bad("The records are not those the manifest was made for.");
    await begun(manifest.purged ?? [], chains, keys);
    const vouched = await signed("vivified audit export v1", manifest, keys, "The signature of the manifest is wrong.");
    return { count: chains.count, chains: chains.last.size, signed: vouched };
  }

  const show = (place, tone, title, text) => {
    const shown = document.getElementById(`vv-proof-${tone}`)?.content.cloneNode(true);
    if (!shown) return;
    shown.querySelector("[data-title]").textContent = title;
    shown.querySelector("[data-text]").textContent = text;
    place.replaceChildren(shown);
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches?.("[data-verify]")) return;
    event.preventDefault();
    const place = document.getElementById("vv-proof");
    const button = event.submitter;
    const file = form.querySelector('input[type="file"]')?.files[0];
    button?.setAttribute("aria-busy", "true");
    show(place, "info", "Verifying.", "");
    const began = performance.now();
    try {
      if (!globalThis.crypto?.subtle) throw new Bad("This browser computes hashes only over https; use vivified audit verify.");
      const keys = (await (await fetch("/.well-known/jwks.json")).json()).keys;
      let stream;
      if (file) stream = file.stream();
      else {
        const answer = await fetch(form.action);
        if (!answer.ok) throw new Bad(`The core answered ${answer.status}; sign in again, or narrow the filter.`);
        stream = answer.body;
      }
      const { count, chains, signed } = await verify(stream, keys, (text) => show(place, "info", "Verifying.", text));
      const took = ((performance.now() - began) / 1000).toFixed(1);
      show(place, signed ? "ok" : "warn", signed ? "Every record is as it was written." : "The records fit together, but nobody vouches for them.",
        `${count.toLocaleString("en")} records of ${chains} ${chains === 1 ? "chain" : "chains"} recomputed here in ${took} s. ${signed ? "The core's key signed the export." : "The export bears no signature of a key of this core."}`);
    } catch (error) {
      show(place, "danger", "This export does not verify.", error instanceof Bad ? error.message : `It could not be read: ${error.message}.`);
    } finally {
      button?.removeAttribute("aria-busy");
    }
  });
})();
