"""`python -m dnnprov`: the command line."""

from dnnprov.cli.main import main

main()
