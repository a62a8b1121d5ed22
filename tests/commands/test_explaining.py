"""Help reads as help: what an option takes, its default, at any width; shells complete it all."""

import pathlib
import runpy
import subprocess
import sys

import pytest

from biobench import metrics, probes, registry
from biobench.cli import main
from biobench.commands import COMMANDS, explaining, load_command

ROOT = pathlib.Path(__file__).parents[2]


def get_help(capsys, monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_explained_by_the_parsers_own_notation(name, capsys, monkeypatch):
    text = get_help(capsys, monkeypatch, name, 100)
    for notation in ("{None}", "None", "[STR", "{[", "(default: )", "(default: False)", "STR"):
        assert notation not in text


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", [60, 100])
def test_help_fits_the_width(name, columns, capsys, monkeypatch):
    text = get_help(capsys, monkeypatch, name, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert text.startswith(f"usage: biobench {name} [-h]")
    about = text.partition("\n\n")[2].partition("╭")[0]
    assert about and not any(line.startswith(" ") for line in about.splitlines())


def test_a_usage_is_wrapped_between_its_options_and_loses_none(capsys, monkeypatch):
    usages = [
        " ".join(get_help(capsys, monkeypatch, "status", width).partition("\n\n")[0].split())
        for width in (40, 60, 100)
    ]
    assert len(set(usages)) == 1 and "[--format table|json]" in usages[0]
    for line in get_help(capsys, monkeypatch, "status", 40).partition("\n\n")[0].splitlines():
        assert line.count("[") == line.count("]")


def test_the_names_that_can_be_given_stand_in_the_help(capsys, monkeypatch):
    text = " ".join(get_help(capsys, monkeypatch, "run", 100).replace("│", " ").split())
    every = sorted([*metrics.list_metrics(), *metrics.list_further_metrics()])
    for names in (registry.list_tasks(), probes.list_probes(), every):
        assert f"Known: {', '.join(names)}" in text
    # A name with a value is written so in the list, and is no choice of its own.
    assert tuple(probes.list_probes()) == explaining.PROBES
    assert sorted(explaining.METRICS) == every


def test_help_does_not_import_what_computes():
    code = (
        "import sys; from biobench.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'polars', 'sklearn'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_the_page_of_all_commands_is_what_they_print():
    made = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))
    assert made["PAGE"].read_text() == made["make_page"](), "run python docs/make_cli.py"


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_of_commands_fits_the_width(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


def test_help_of_a_command_is_asked_for_in_either_way(capsys, monkeypatch):
    asked = get_help(capsys, monkeypatch, "compare", 80)
    with pytest.raises(SystemExit):
        main(["help", "compare"])
    assert capsys.readouterr().out == asked


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "biobench", "--version"], capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"biobench ")


def complete(script, *words):
    """What bash offers for the last of the words of a command line."""
    line = " ".join(words)
    lines = [
        f"source {script}",
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'",
        f"COMP_POINT={len(line)}; _shtab_biobench; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    ]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes_commands_options_and_choices(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion.sh"
    script.write_text(capsys.readouterr().out)
    assert complete(script, "biobench", "le") == ["leaderboard"]
    assert complete(script, "biobench", "run", "--prec") == ["--precision"]
    assert complete(script, "biobench", "run", "--precision", "f") == ["fp32", "fp16"]
    assert complete(script, "biobench", "run", "--probe", "s") == ["simpleshot", "svc", "svm"]
    assert "macro-f1" in complete(script, "biobench", "leaderboard", "--metric", "macro")
    for name in COMMANDS:
        offered = set(complete(script, "biobench", name, "--"))
        fields = load_command(name).__dataclass_fields__
        given = {option.removeprefix("--").replace("-", "_") for option in offered}
        assert given - {"help"} <= {*fields, *(f"no_{field}" for field in fields)}
        assert len(given & set(fields)) >= len(fields) - 3  # the positional ones


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script_too(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "leaderboard" in capsys.readouterr().out


def test_an_interrupt_ends_in_one_line(capsys, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(load_command("tasks"), "main", interrupted)
    assert main(["tasks"]) == 130
    captured = capsys.readouterr()
    assert captured.err == "biobench: stopped.\n" and not captured.out
