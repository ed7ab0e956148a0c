"""Commands in groups: `onomast data list`, `onomast grid run`; one module a group."""
