"""What a tagger's probabilities say about labels: which sentence to label next, which label is probably wrong."""
