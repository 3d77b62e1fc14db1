"""One figure a file: `<name>.py` draws it, `<name>.rst` is its entry and caption (mimii.paper.entries)."""
