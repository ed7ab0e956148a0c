"""Script conversion, token by token."""
