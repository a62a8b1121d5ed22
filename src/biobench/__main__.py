"""`python -m biobench COMMAND …` is `biobench COMMAND …`."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line; from its first import on, Ctrl-C ends it in one line."""
    from biobench import interrupts

    with interrupts.ImportsEndInOneLine():
        from biobench import cli

        return cli.main()


if __name__ == "__main__":
    sys.exit(main())
