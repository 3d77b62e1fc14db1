"""One table a file: `<name>.py` makes it, `<name>.rst` is its entry and caption (mimii.paper.entries)."""
