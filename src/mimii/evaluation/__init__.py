"""From clip scores to rows of results.csv, and what differences between rows are worth. Needs no GPU and no model."""
