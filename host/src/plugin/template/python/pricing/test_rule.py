import unittest
from types import SimpleNamespace as Record

from rule import discount, price


class Rule(unittest.TestCase):
    def test_ten_tickets_get_a_discount(self):
        self.assertEqual(discount(10, 10_000), 1_000)
        self.assertEqual(discount(9, 9_000), 0)

    def test_half_a_unit_is_rounded_to_even(self):
        self.assertEqual(discount(11, 55), 6)
        self.assertEqual(discount(15, 45), 4)

    def test_price_is_what_the_steps_before_have_left(self):
        lines = [Record(quantity=2, unit_price=100), Record(quantity=1, unit_price=50)]
        steps = [Record(amount=-240, included=False), Record(amount=10, included=True)]
        applied = [Record(adjustment=step) for step in steps]
        self.assertEqual(price(Record(lines=lines, applied=[])), 250)
        self.assertEqual(price(Record(lines=lines, applied=applied)), 10)


if __name__ == "__main__":
    unittest.main()
