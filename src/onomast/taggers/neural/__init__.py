"""The neural tagger: an encoder and heads in PyTorch."""
