// Refuses issues with a summary shorter than the minimum in the settings.

import { settings } from "tessera:plugin/host@1.0.0";

import { checkSummary } from "./rule.js";

const DEFAULT_MIN_SUMMARY = 10;

const SETTINGS_SCHEMA = {
  type: "object",
  additionalProperties: false,
  properties: { min_summary: { type: "integer", minimum: 1 } },
};

export const manifest = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      summary: "Describe the plugin in one line",
      settingsSchema: JSON.stringify(SETTINGS_SCHEMA),
      kinds: ["issue"],
      needs: [],
      attributes: [],
    };
  },
};

export const validation = {
  validate(context, request) {
    if (request.operation === "delete") return;
    const { min_summary: min = DEFAULT_MIN_SUMMARY } = JSON.parse(settings() || "{}");
    const summary = request.subject.fields.find((field) => field.name === "summary")?.value;
    const violation = checkSummary(summary?.tag === "text" ? summary.val : "", min);
    if (violation) throw [violation];
  },
};
