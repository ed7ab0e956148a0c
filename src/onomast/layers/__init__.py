"""Tensors in, tensors out: no sentences, files or recipes here."""
