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
    """The known name that is most like `name`, or whose initials it is (`lr`); None where none is near."""
    known = list(known)
    initials = [own for own in known if "_" in own and "".join(part[:1] for part in own.split("_")) == str(name)]
    return next(iter([*difflib.get_close_matches(str(name), known, n=1), *initials]), None)
