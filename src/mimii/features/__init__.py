"""From recordings to log-mel frames in parquet, and back to arrays. Knows no detector."""
