"""Recordings of machines that do not exist."""
