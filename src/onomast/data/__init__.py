"""Text -> sentences -> better sentences."""
