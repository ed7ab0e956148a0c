"""Scores: counts, intervals, significance, and how they are shown. Never imports taggers."""
