import assert from "node:assert/strict";
import test from "node:test";

import { becameCritical } from "../src/rule.js";

test("only a change of the priority makes an issue critical", () => {
  assert.equal(becameCritical("CRITICAL", ["priority"]), true);
  assert.equal(becameCritical("CRITICAL", ["summary"]), false);
  assert.equal(becameCritical("MINOR", ["priority"]), false);
});
