import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test, vi } from "vitest";

import { startEmulator } from "./emulator.js";

test("the emulator deletes its temporary files when it ends", async () => {
    const folder = mkdtempSync(join(tmpdir(), "emulator-"));
    const { stop } = await startEmulator({ TMPDIR: folder, AWS_ENDPOINT_URL: "" });
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^tidings-emulator-/)]);
    stop();
    await vi.waitFor(() => { expect(readdirSync(folder)).toEqual([]); }, 30_000);
});
