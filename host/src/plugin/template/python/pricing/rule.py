"""The rule without the contract, so that tests run it in Python itself."""


def price(request) -> int:
    """Returns the price of a basket after the adjustments of the steps before, in minor units.

    A discount from the base prices could be more than is left of them, which the host refuses.
    """
    base = sum(line.quantity * line.unit_price for line in request.lines)
    steps = [applied.adjustment for applied in request.applied]
    return base + sum(step.amount for step in steps if not step.included)


def discount(tickets: int, price: int) -> int:
    """Returns the discount on a basket: 10 % of its price from ten tickets on, rounded half to even."""
    if tickets < 10:
        return 0
    tenth, rest = divmod(price, 10)
    rounds_up = rest > 5 or (rest == 5 and tenth % 2 == 1)
    return tenth + 1 if rounds_up else tenth
