"""Gives a discount of 10 % on baskets of ten or more tickets."""

from wit_world import exports
from wit_world.exports import manifest, pricing
from wit_world.imports import types

from rule import discount, price


class Manifest(exports.Manifest):
    def describe(self) -> manifest.Info:
        return manifest.Info(
            name="{{name}}",
            version="0.1.0",
            summary="Describe the plugin in one line",
            settings_schema="",
            kinds=[],
            needs=[],
            attributes=[],
        )


class Pricing(exports.Pricing):
    def quote(self, context: types.Context, request: pricing.Request) -> pricing.Decision:
        adjustments = []
        tickets = sum(line.quantity for line in request.lines)
        amount = discount(tickets, price(request))
        if amount:
            adjustments.append(
                pricing.Adjustment(
                    kind=pricing.AdjustmentKind.DISCOUNT,
                    line=None,
                    amount=-amount,
                    included=False,
                    label="Ten or more",
                    code=None,
                    attributes=[],
                )
            )
        return pricing.Decision(adjustments=adjustments, refused_codes=[], attributes=[])
