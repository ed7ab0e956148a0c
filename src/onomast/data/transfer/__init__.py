"""Other languages' and domains' labels: alignment of label sets, similarity, ranking."""
