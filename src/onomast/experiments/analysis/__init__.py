"""Results of a grid: statistics, verdicts on claims, tables, pictures."""
