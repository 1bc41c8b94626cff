"""The rule without the contract, so that tests run it in Python itself."""


def discount(quantity: int, unit_price: int) -> int:
    """Returns the discount on a line in minor units: 10 % from ten tickets on, rounded half to even."""
    if quantity < 10:
        return 0
    tenth, rest = divmod(quantity * unit_price, 10)
    rounds_up = rest > 5 or (rest == 5 and tenth % 2 == 1)
    return tenth + 1 if rounds_up else tenth
