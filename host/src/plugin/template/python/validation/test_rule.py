import unittest

from rule import check_summary


class Rule(unittest.TestCase):
    def test_short_summary_is_refused(self):
        self.assertEqual(check_summary("bug", 5)[0], "SUMMARY_TOO_SHORT")
        self.assertIsNone(check_summary("It breaks on save", 5))


if __name__ == "__main__":
    unittest.main()
