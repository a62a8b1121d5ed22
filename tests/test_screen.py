"""Terminals of every encoding are written to; nothing is written to them but through one door."""

import ast
import io
import os
import pathlib
import subprocess
import sys

import pytest
from rich.text import Text

import biobench
import hostile
from biobench import cli, commands, results, screen
from biobench.console import CleanConsole
from results_world import make_report

SOURCE = pathlib.Path(biobench.__file__).parent
ENCODINGS = ["ascii", "latin-1", "cp1252", "koi8-r", "utf-16", "shift_jis", "utf-8"]
MODELS = ("timm:Käfer", "timm:名前")


@pytest.fixture
def root(tmp_path):
    for i, model in enumerate(MODELS):
        report = make_report(n=20, seed=i, backbone=model, n_groups=5)
        results.write_run(tmp_path / "results", "Vögel", tuple(model.split(":")), report)
    return tmp_path / "results"


def make_stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")


def read(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard"],
        ["leaderboard", "--by", "site"],
        *(["leaderboard", "--format", kind] for kind in ("json", "csv", "markdown", "latex")),
        ["compare", *MODELS],
        ["leaderboard", "--tasks", "…×·名"],
        ["--help"],
        ["leaderbörd…"],
    ],
    ids=" ".join,
)
def test_every_encoding_is_written_to(root, monkeypatch, encoding, words):
    out, err = make_stream(encoding), make_stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    place = [] if words[0] not in ("leaderboard", "compare") else ["--results", str(root)]
    code = cli.main([*words, *place])
    assert code == (2 if "…" in words[-1] else 0)
    assert (read(err) if code else read(out)).strip()


def test_what_an_encoding_lacks_becomes_something_readable(monkeypatch):
    monkeypatch.setattr(sys, "stdout", make_stream("ascii"))
    screen.say("0.5–0.7 · 3×4 … ┃━┏█ A − B Käfer 名 🙂 caf\udce9")
    assert read(sys.stdout) == (
        "0.5-0.7 - 3x4 ... |-+# A - B K\\xe4fer \\u540d \\U0001f642 caf\\xe9\n"
    )


def test_a_stream_that_is_closed_is_not_written_to(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    screen.say("nobody hears")
    assert not screen.is_terminal(sys.stdout)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_a_whole_process_prints_under_any_locale(root, environment):
    command = [sys.executable, "-m", "biobench.cli", "leaderboard", "--results", str(root)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment})
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert b"K\\xe4fer" in done.stdout


def test_an_error_that_nobody_expected_is_clean_too(capsys):
    err = RuntimeError("a\x1b[2Jb\u202e")
    screen.show_exception(type(err), err, None)
    assert capsys.readouterr().err == "RuntimeError: a\\x1b[2Jb\\u202e\n"


def test_a_console_gives_no_text_a_say_over_markup_emoji_or_cursor():
    console = CleanConsole(file=io.StringIO(), force_terminal=True, width=80)
    for text in ("[red]a[/red] :smile: \x1b[2J\u202e", Text("[b]\x9b \x1b]0;x")):
        console.print(text)
    shown = console.file.getvalue()
    assert shown == "[red]a[/red] :smile: \\x1b[2J\\u202e\n[b]\\u009b \\x1b]0;x\n"
    assert not hostile.find_hidden(shown, but="\n")


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "dumb")
    assert not screen.is_terminal(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert screen.is_terminal(Terminal()) and not screen.is_terminal(io.StringIO())


DOORS = {"screen.py", "console.py", "launch/local/worker.py"}
"""files that may write to a stream themselves; the worker's goes to the launcher, as JSON."""


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.name)
def test_nothing_is_printed_but_through_the_door(path):
    if str(path.relative_to(SOURCE)) in DOORS:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        to_file = any(
            word.arg == "file" and ast.unparse(word.value) == "log" for word in node.keywords
        )
        assert name != "print" or to_file, f"{path}:{node.lineno}"
        assert name not in ("sys.stdout.write", "sys.stderr.write", "Console")
        assert not name.endswith(("console.Console", "rich.print"))


COMMANDS = [
    ["demo"],
    ["run", "--tasks", "newt", "--models", "baseline:color-hist", "--data", "data"],
    ["run", "suite.toml", "--dry-run"],
    ["init", "pictures"],
    ["status"],
    ["cancel"],
    ["reproduce", "results/a/b/c"],
    ["embed", "baseline:color-hist", "--images", "pictures", "--out", "out.parquet"],
    ["cache", "ls"],
    ["check", "folder", "--data", "data"],
    ["doctor", "baseline:color-hist"],
    ["download", "newt", "--data", "data", "--dry-run"],
    ["tasks"],
    ["models"],
    ["leaderboard"],
    ["compare", "a:b", "c:d"],
    ["report"],
    ["export", "--to", "out.csv"],
    ["import", "elsewhere"],
    ["completion", "bash"],
]


def test_every_command_is_asked_about_a_deleted_folder():
    assert {words[0] for words in COMMANDS} == set(commands.COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_in_a_deleted_folder_every_command_ends_with_one_sentence(words, tmp_path, capsys):
    before, gone = os.getcwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        code = cli.main(words)
    finally:
        os.chdir(before)
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and "working directory" in err


def test_help_needs_no_folder(tmp_path, capsys):
    before, gone = os.getcwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert cli.main(["--help"]) == 0
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard", "--results", "x" * 300],
        ["report", "--out", "x" * 300],
        ["export", "--to", "x" * 300 + ".csv"],
        ["status", "--results", "x" * 300],
        ["run", "x" * 300],
        ["import", "x" * 300],
        ["reproduce", "x" * 300],
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_no_disk_takes_is_one_sentence(words, root, capsys, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert cli.main(words) in (1, 2)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "x" * 300 in err
    assert [path.name for path in root.parent.iterdir()] == ["results"]


def test_a_whole_process_in_a_deleted_folder_says_one_sentence(tmp_path):
    code = (
        f"cd {tmp_path} && mkdir gone && cd gone && rmdir ../gone && "
        f"{sys.executable} -c 'import sys; from biobench.cli import main; sys.exit(main())' tasks"
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "change to one that is" in done.stderr
