// Labels issues that become critical, and sends a message to the admins. The command `escalate` does the same.

import { becameCritical } from "./rule.js";

export const manifest = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      summary: "Describe the plugin in one line",
      settingsSchema: "",
      kinds: ["issue"],
      needs: ["issue:update", "notice:create"],
      attributes: [],
    };
  },
};

export const workflow = {
  // No machine: the plugin only reacts to changes.
  describeMachine(kind) {
    return null;
  },

  describeCommands(kind) {
    return [{ name: "escalate", title: "Escalate", states: [], inputSchema: "" }];
  },

  guard(context, issue, transitions) {
    return transitions.map(() => ({ tag: "ok" }));
  },

  onChange(context, issue, before, changes) {
    const changed = changes.map((change) => change.field);
    return becameCritical(text(issue, "priority"), changed) ? alert(issue) : [];
  },

  onTimer(context, issue, timer) {
    return [];
  },

  onCommand(context, issue, command, input) {
    return alert(issue);
  },
};

/** Returns the effects on a critical issue. */
function alert(issue) {
  const subject = text(issue, "summary") ?? "An issue";
  return [
    { on: null, action: { tag: "add-label", val: "critical" } },
    { on: null, action: { tag: "notify", val: { to: ["role:admin"], subject, body: "The issue is critical." } } },
  ];
}

/** Returns a field that is text, or undefined. */
function text(entity, name) {
  const value = entity.fields.find((field) => field.name === name)?.value;
  return value?.tag === "text" ? value.val : undefined;
}
