"""The one exception that is meant for a person."""


class UserError(Exception):
    """Something that the user can put right: says what is wrong, in which file or key, and what to do."""
