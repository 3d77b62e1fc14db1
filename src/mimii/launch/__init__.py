"""Starting Snakemake for a person: what is to do and what it costs, progress, failures, Ctrl-C. Opens no result."""
