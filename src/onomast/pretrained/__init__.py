"""Pre-trained encoders: files, sub-words, masked-language modelling."""
