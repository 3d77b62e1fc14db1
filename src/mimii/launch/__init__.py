"""Starting Snakemake for a person: what is to do, progress, failures, Ctrl-C. Knows no model and opens no result."""
