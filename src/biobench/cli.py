"""The command line: `biobench COMMAND …`. Arguments, messages and exit codes; no logic.

Exit codes: 0 done; 1 some cell failed, or the disk did; 2 bad usage or bad input. Whatever can go
wrong outside this program is said in one sentence.
"""

import contextlib
import io
import os
import sys

from biobench import clean, interrupts, screen
from biobench.commands import COMMANDS, load_command
from biobench.errors import BadInput, CellFailed, did_you_mean

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    with interrupts.ImportsEndInOneLine():
        return _main(argv)


def _main(argv: list[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    screen.make_tolerant(sys.stdout, sys.stderr)
    sys.excepthook = screen.show_exception
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    if not argv or argv[0] in ("-h", "--help"):
        screen.say(_usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        from biobench import __version__

        screen.say(f"biobench {__version__}")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        return _refuse(f"Unknown command '{name}'.{hint} See biobench --help.")
    try:
        return _parse(name, argv[1:]).main()
    except BadInput as err:
        return _refuse(str(err))
    except CellFailed as err:
        _refuse(str(err))
        return 1
    except KeyboardInterrupt:
        # A command that has more to say catches it itself; the rest had nothing to lose.
        _refuse("stopped.")
        return interrupts.STOPPED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; a second error while closing helps nobody.
        sys.stderr.close()
        return 0
    except OSError as err:
        # A full or broken disk; what is a defect of ours raises other errors.
        if err.errno is None:
            raise
        where = "" if err.filename is None else f"{err.filename}: "
        _refuse(f"{where}{err.strerror}.")
        return 1


def _parse(name: str, argv: list[str]):
    import tyro

    from biobench.commands import explaining

    command = load_command(name)
    description = explaining.wrap(command.__doc__)
    command = explaining.explain(command)
    # Encoded, or tyro takes it for a terminal that has no lines to draw.
    shown = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(shown):
            called = tyro.cli(command, args=argv, prog=f"biobench {name}", description=description)
    except SystemExit:
        shown.seek(0)
        if text := shown.read():
            screen.say(explaining.tidy(text))
        raise
    _check_folder()
    return called


def _usage() -> str:
    import shutil
    import textwrap

    columns = min(shutil.get_terminal_size().columns, 100)
    width = max(map(len, COMMANDS)) + 4
    about = "Which frozen image model to trust on biological images, with numbers that hold up."
    lines = [
        textwrap.fill(
            text, columns, initial_indent=f"  {name:<{width - 2}}", subsequent_indent=" " * width
        )
        for name, (_, text) in COMMANDS.items()
    ]
    more = "biobench help COMMAND explains one; models are written ORG:CKPT."
    return "\n".join(
        [
            "usage: biobench COMMAND [OPTIONS]",
            "",
            textwrap.fill(about, columns),
            "",
            "commands:",
            *lines,
            "",
            textwrap.fill(more, columns),
        ]
    )


def _check_folder() -> None:
    """Raise BadInput where this process stands in a folder that is gone."""
    try:
        os.getcwd()
    except OSError:
        raise BadInput(
            "The working directory is not there any more; change to one that is."
        ) from None


def _refuse(message: str) -> int:
    screen.say(f"biobench: {clean.sentence(message)}", error=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
