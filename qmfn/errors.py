"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user gave can't be used.

    The message is one sentence that names the file, key or value and says what would be right. Commands print it
    without a traceback and exit with code 1.
    """
