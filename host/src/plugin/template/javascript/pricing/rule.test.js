import assert from "node:assert/strict";
import test from "node:test";

import { discount } from "../src/rule.js";

test("ten tickets get a discount", () => {
  assert.equal(discount(10, 1_000), 1_000);
  assert.equal(discount(9, 1_000), 0);
});

test("half a unit is rounded to even", () => {
  assert.equal(discount(11, 5), 6);
  assert.equal(discount(15, 3), 4);
});
