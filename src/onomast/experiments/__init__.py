"""Many runs at once: grids of recipes, corpora, sizes and seeds; their tables and pictures."""
