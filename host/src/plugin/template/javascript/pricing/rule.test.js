import assert from "node:assert/strict";
import test from "node:test";

import { discount, price } from "../src/rule.js";

test("ten tickets get a discount", () => {
  assert.equal(discount(10, 10_000), 1_000);
  assert.equal(discount(9, 9_000), 0);
});

test("half a unit is rounded to even", () => {
  assert.equal(discount(11, 55), 6);
  assert.equal(discount(15, 45), 4);
});

test("the price is what the steps before have left", () => {
  const lines = [{ quantity: 2, unitPrice: 100 }, { quantity: 1, unitPrice: 50 }];
  const applied = [
    { adjustment: { amount: -240, included: false } },
    { adjustment: { amount: 10, included: true } },
  ];
  assert.equal(price({ lines, applied: [] }), 250);
  assert.equal(price({ lines, applied }), 10);
});
