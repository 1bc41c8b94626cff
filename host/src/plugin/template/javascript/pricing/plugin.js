// Gives a discount of 10 % on baskets of ten or more tickets.

import { discount, price } from "./rule.js";

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
    const tickets = request.lines.reduce((sum, { quantity }) => sum + quantity, 0);
    const amount = discount(tickets, price(request));
    const adjustment = {
      kind: "discount",
      line: null,
      amount: -amount,
      included: false,
      label: "Ten or more",
      code: null,
      attributes: [],
    };
    return { adjustments: amount > 0 ? [adjustment] : [], refusedCodes: [], attributes: [] };
  },
};
