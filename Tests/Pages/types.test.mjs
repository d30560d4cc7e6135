// The types of the client: pages in TypeScript, right ones and wrong ones, under the compiler.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test, { describe } from "node:test";
import { fileURLToPath } from "node:url";

const file = (name) => fileURLToPath(new URL(`types/${name}`, import.meta.url));
const isThere = spawnSync("tsc", ["--version"]).status === 0;
// `make test-pages` installs it.
const options = { skip: !isThere && process.env.STATUS2_REQUIRE_SERVERS !== "1" && "tsc is not installed" };

/** Compiles a page, and says what is wrong with it. */
function compile(name, ...how) {
  const { stdout } = spawnSync("tsc", [
    "--noEmit", "--strict", "--skipDefaultLibCheck", "--target", "es2020", "--lib", "dom,es2020", ...how, file(name),
  ], { encoding: "utf8" });
  assert.equal(stdout, "");
}

describe("a page in TypeScript", options, () => {
  test("imports the ES module, as Node resolves it", () => {
    compile("page.mts", "--module", "node16", "--moduleResolution", "node16");
  });

  test("imports the ES module, as bundlers resolve it", () => {
    compile("page.mts", "--module", "es2020", "--moduleResolution", "node");
  });

  test("has the global of the classic script", () => compile("classic.ts", "--module", "none"));
});
