"""The rule without the contract, so that tests run it in Python itself."""


def became_critical(priority: str | None, changed: list[str]) -> bool:
    """Whether a change makes an issue critical, by its priority and the names of the changed fields."""
    return priority == "CRITICAL" and "priority" in changed
