import unittest

from rule import discount


class Rule(unittest.TestCase):
    def test_ten_tickets_get_a_discount(self):
        self.assertEqual(discount(10, 1_000), 1_000)
        self.assertEqual(discount(9, 1_000), 0)

    def test_half_a_unit_is_rounded_to_even(self):
        self.assertEqual(discount(11, 5), 6)
        self.assertEqual(discount(15, 3), 4)


if __name__ == "__main__":
    unittest.main()
