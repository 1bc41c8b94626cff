// The rule without the contract, so that tests run it in Node.js.

/**
 * Returns the discount on a line: 10 % from ten tickets on, rounded half to even. Amounts are minor units, which numbers
 * hold exactly up to 2^53.
 */
export function discount(quantity, unitPrice) {
  if (quantity < 10) return 0;
  const total = quantity * unitPrice;
  const rest = total % 10;
  const tenth = (total - rest) / 10;
  const roundsUp = rest > 5 || (rest === 5 && tenth % 2 === 1);
  return roundsUp ? tenth + 1 : tenth;
}
