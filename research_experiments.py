"""The command line of the original framework, run through the workflow: `python research_experiments.py --help`."""

import sys

try:
    from mimii.commands.research_experiments import main
except ModuleNotFoundError as error:
    sys.exit(
        f"error: {error.name} is not installed for {sys.executable}; run `make demo` once, "
        "then use .venv/bin/python, or `source .venv/bin/activate`"
    )

if __name__ == "__main__":
    main()
