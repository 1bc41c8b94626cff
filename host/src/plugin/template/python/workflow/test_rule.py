import unittest

from rule import became_critical


class Rule(unittest.TestCase):
    def test_only_a_change_of_the_priority_makes_an_issue_critical(self):
        self.assertTrue(became_critical("CRITICAL", ["priority"]))
        self.assertFalse(became_critical("CRITICAL", ["summary"]))
        self.assertFalse(became_critical("MINOR", ["priority"]))


if __name__ == "__main__":
    unittest.main()
