"""Onomast inside other libraries: spaCy, scikit-learn, Hugging Face's way of calling."""
