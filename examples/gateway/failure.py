"""The one exception that the quickstart shows to the person who ran it."""


class Failure(Exception):
    """One line that says what went wrong; printed as it is, without a traceback."""
