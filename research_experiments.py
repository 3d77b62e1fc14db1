"""The command line of the original framework, run through the workflow: `python research_experiments.py --help`."""

from mimii.command_line import main

if __name__ == "__main__":
    main()
