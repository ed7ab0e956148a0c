"""`python -m onomast.cli`."""

from onomast.cli.main import main

main()
