"""The rule without the contract, so that tests run it in Python itself."""


def check_summary(summary: str, minimum: int) -> tuple[str, str] | None:
    """Returns code and message of the violation of a summary with fewer than `minimum` characters."""
    length = len(summary)
    if length >= minimum:
        return None
    return "SUMMARY_TOO_SHORT", f"the summary must have at least {minimum} characters; it has {length}"
