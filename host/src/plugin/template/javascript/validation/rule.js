// The rule without the contract, so that tests run it in Node.js.

/** Returns the violation of a summary with fewer than `min` characters, or null. */
export function checkSummary(summary, min) {
  const length = [...summary].length;
  if (length >= min) return null;
  const message = `the summary must have at least ${min} characters; it has ${length}`;
  return { field: "summary", code: "SUMMARY_TOO_SHORT", message };
}
