"""The fulfilments of the contract in `onomast.tagger`."""
