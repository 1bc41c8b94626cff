import assert from "node:assert/strict";
import test from "node:test";

import { checkSummary } from "../src/rule.js";

test("a short summary is refused", () => {
  assert.equal(checkSummary("bug", 5).code, "SUMMARY_TOO_SHORT");
  assert.equal(checkSummary("It breaks on save", 5), null);
});
