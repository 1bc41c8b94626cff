// Gives a discount of 10 % on lines of ten or more tickets.

import { discount } from "./rule.js";

export const manifest = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      summary: "Describe the plugin in one line",
      settingsSchema: "",
      kinds: [],
      needs: [],
      attributes: [],
    };
  },
};

export const pricing = {
  quote(context, request) {
    const adjustments = request.lines
      .map(({ quantity, unitPrice }, line) => ({
        kind: "discount",
        line,
        amount: -discount(quantity, unitPrice),
        included: false,
        label: "Ten or more",
        code: null,
        attributes: [],
      }))
      .filter(({ amount }) => amount < 0);
    return { adjustments, refusedCodes: [], attributes: [] };
  },
};
