"""`python -m onomast`: the command line."""

from onomast.cli.main import main

if __name__ == "__main__":  # worker processes import this file under another name
    main()
