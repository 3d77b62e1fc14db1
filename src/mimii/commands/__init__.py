"""What people type: the original's command line, and `python -m mimii` with its subcommands."""
