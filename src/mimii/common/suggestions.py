"""What to say of a name that nothing has."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """`unknown model 'vea'; did you mean 'vae'?`, or all the known names where none is near."""
    known = sorted(known)
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown {kind} {name!r}; {hint}"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`; None where none is near."""
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1)), None)
