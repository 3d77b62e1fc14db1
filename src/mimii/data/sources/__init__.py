"""One kind of dataset in one file: `<name>.py` with a class `Source`. Nothing else names it."""
