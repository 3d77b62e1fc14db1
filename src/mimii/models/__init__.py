"""One detector in two files: `<name>.py` and `<name>.yaml`. Nothing else names it."""
