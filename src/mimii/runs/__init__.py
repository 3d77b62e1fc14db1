"""One run: its path, the files that it leaves, the jobs that write them, scores of other code."""
