// The rule without the contract, so that tests run it in Node.js.

/** Whether a change makes an issue critical, by its priority and the names of the changed fields. */
export function becameCritical(priority, changed) {
  return priority === "CRITICAL" && changed.includes("priority");
}
