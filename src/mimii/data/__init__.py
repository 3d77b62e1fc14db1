"""Sections, recordings, and who is trained and tested on. Knows nothing of features."""
