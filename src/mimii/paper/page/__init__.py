"""The result page: one HTML file, offline, for whoever wants to see, compare and hear results.

It reads what the workflow has written (results.csv, clip scores, features) and knows nothing of how models are trained.
"""
