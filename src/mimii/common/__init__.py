"""What every package uses and what knows none of them: errors, files written whole, declarations, provenance."""
