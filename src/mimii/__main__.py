"""`python -m mimii`: see `mimii.commands.main`."""

from mimii.commands.main import main

if __name__ == "__main__":
    main()
