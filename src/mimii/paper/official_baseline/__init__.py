"""The golden check: the preset of the official baseline held against a reference run on MIMII."""
