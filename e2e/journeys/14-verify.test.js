// An auditor need not believe the server: the browser itself verifies what is
// recorded, and finds the one byte that somebody changed in an export.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

let grace;
before(async () => {
  await here.setUp();
  grace = { storageState: await signedIn(browser) };
});

test("the browser verifies records, an export, and finds what was changed", (t) =>
  browser.visit(t, grace, async (page) => {
    const verdict = page.locator("#vv-proof");
    await page.goto("/console/audit?action=plugin.*");
    await page.getByRole("button", { name: "Export this filter" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "As JSON lines" }).click()]);
    const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
    assert.ok(lines.length > 3, "there is little to verify");

    await page.getByRole("link", { name: "Verify it in this browser" }).click();
    await page.getByRole("button", { name: "Verify here" }).click();
    await verdict.getByText("Every record is as it was written.").waitFor();
    await verdict.getByText(/recomputed here in .* The core's key signed the export\./).waitFor();

    const verify = async (text) => {
      await page.getByLabel("File").setInputFiles({ name: "audit.jsonl", mimeType: "application/jsonl", buffer: Buffer.from(text) });
      await page.getByRole("button", { name: "Verify the file" }).click();
    };
    const whole = `${lines.join("\n")}\n`;
    await verify(whole);
    await verdict.getByText(`${lines.length - 1} records of`).waitFor();

    const second = JSON.parse(lines[1]);
    await verify(whole.replace(lines[1], lines[1].replace('"outcome":"ok"', '"outcome":"deny"')));
    await verdict.getByText(`Record ${second.seq} of ${second.chain} was changed`).waitFor();
    await verify(whole.replace(`${lines[1]}\n`, ""));
    await verdict.getByText(/The export held \d+ records of/).waitFor();
    await verify(lines.slice(0, -1).join("\n"));
    await verdict.getByText("ends before its manifest").waitFor();
    await verify(whole.replace(/"by":"user:/, '"by":"User:'));
    await verdict.getByText("The signature of the manifest is wrong.").waitFor();
  }));
