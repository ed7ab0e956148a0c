"""What users touch, each thin."""
