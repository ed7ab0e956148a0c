"""Word vectors: files, lookup, training."""
