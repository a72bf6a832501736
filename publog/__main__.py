"""`python -m publog` is `publog`."""

from publog.cli import main

main()
