// The rule without the contract, so that tests run it in Node.js.

/**
 * Returns the price of a basket after the adjustments of the steps before. A discount from the base prices could be more
 * than is left of them, which the host refuses. Amounts are minor units, which numbers hold exactly up to 2^53.
 */
export function price({ lines, applied }) {
  const base = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0);
  const added = applied.map(({ adjustment }) => adjustment).filter(({ included }) => !included);
  return added.reduce((sum, { amount }) => sum + amount, base);
}

/** Returns the discount on a basket: 10 % of its price from ten tickets on, rounded half to even. */
export function discount(tickets, price) {
  if (tickets < 10) return 0;
  const rest = price % 10;
  const tenth = (price - rest) / 10;
  const roundsUp = rest > 5 || (rest === 5 && tenth % 2 === 1);
  return roundsUp ? tenth + 1 : tenth;
}
