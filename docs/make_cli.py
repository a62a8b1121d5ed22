"""Writes docs/cli.md, every command's help: python docs/make_cli.py (a test holds it equal)."""

import contextlib
import io
import os
import pathlib

from biobench.cli import main
from biobench.commands import COMMANDS

PAGE = pathlib.Path(__file__).with_name("cli.md")

INTRO = """\
# Command line

This page is what `biobench help` and `biobench help COMMAND` print (as `biobench COMMAND --help`);
`python docs/make_cli.py` writes it. Help is as wide as the terminal, or as `COLUMNS` says.
`python -m biobench` is `biobench`, of the Python that is called.

A model is written `ORG:CKPT` ([backbones](backbones.md)). Several values of an
option stand one after the other: `--seeds 1 2 3`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | some cell failed, a check found trouble, or the disk cannot be written; the rest is kept |
| 2 | bad usage or bad input, said in one sentence, before anything is embedded |
| 130 | stopped by Ctrl-C; the same command goes on |

## Completion

```sh
eval "$(biobench completion bash)"                # bash; in ~/.bashrc to have it always
biobench completion zsh > ~/.zfunc/_biobench      # zsh; with fpath+=~/.zfunc before compinit
biobench completion tcsh > ~/.biobench.tcsh       # tcsh; source it in ~/.tcshrc
```

This completes commands, options, what an option can be, and files.
"""


def make_page() -> str:
    """The page as it should be."""
    parts = [INTRO, f"## biobench\n\n```text\n{_print('help')}```\n"]
    parts += [f"## biobench {name}\n\n```text\n{_print('help', name)}```\n" for name in COMMANDS]
    return "\n".join(parts)


def _print(*arguments: str) -> str:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "90"
    shown = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
            main(list(arguments))
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    shown.seek(0)
    return shown.read()


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
