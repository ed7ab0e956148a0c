"""File formats: one reader and writer a file; `registry.py` lists them."""
