"""`python -m starover_cli` is `starover`."""

from starover_cli.main import main

main(prog_name="starover")
