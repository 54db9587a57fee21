"""`python -m controller` and the `heal7` command are the same thing; this is their one entry."""

from __future__ import annotations

from controller.cli.app import run


def main() -> None:
    """Run the command line on `sys.argv` and leave with 0 done, 1 failed, 2 usage, 3 no hub."""
    run()


if __name__ == "__main__":
    main()
