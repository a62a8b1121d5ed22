import json

import pytest

from biobench import report
from biobench.cli import main
from biobench.errors import BadInput
from results_world import CLOSE, GOOD, POOR
from shown import show
from site_reader import read_site

NAMES = [f"{GOOD}=ResNet-50 (ours)", f"{CLOSE}=CLIP=B"]


def test_aliases_stand_for_the_models_in_every_output_and_change_no_number(suite, tmp_path):
    board, plain = report.leaderboard(suite, aliases=NAMES), report.leaderboard(suite)
    assert set(board.models) == {"ResNet-50 (ours)", "CLIP=B", POOR}
    numbers = ["task", "score", "ci_low", "ci_high", "rank"]
    assert (
        board.table.select(numbers).sort(numbers).equals(plain.table.select(numbers).sort(numbers))
    )
    page = read_site(report.write_site(suite, tmp_path / "site", aliases=NAMES))
    shown = [report.to_text(board, kind) for kind in ("json", "csv", "markdown", "latex")]
    for text in [page, *shown, show(report.render(board, 100), 100)]:
        assert "ResNet-50 (ours)" in text and "CLIP=B" in text
    assert GOOD not in "".join(shown[2:])
    found = report.compare(suite, GOOD, CLOSE, aliases=NAMES)
    assert (found.a, found.b) == ("ResNet-50 (ours)", "CLIP=B")
    assert "CLIP=B" in report.comparison_to_text(found, "latex")


@pytest.mark.parametrize(
    ("aliases", "words"),
    [
        (["timm:goood=A"], "Did you mean 'timm:good'"),
        ([f"{GOOD}=A", f"{CLOSE}=A"], "both open-clip:a/close and timm:good 'A'"),
        ([f"{GOOD}={POOR}"], "both baseline:poor and timm:good"),
        ([f"{GOOD}=A", f"{GOOD}=B"], "twice"),
        ([GOOD], "ORG:CKPT=Name"),
        ([f"{GOOD}="], "ORG:CKPT=Name"),
    ],
)
def test_an_alias_that_cannot_be_is_refused_with_what_can(suite, aliases, words):
    with pytest.raises(BadInput, match=words):
        report.leaderboard(suite, aliases=aliases)


def test_a_model_of_several_weights_must_say_which_is_meant(keep):
    keep("birds", GOOD, backbone="1" * 16)
    keep("birds", GOOD, backbone="2" * 16, seed=3)
    with pytest.raises(BadInput, match="several weights"):
        report.leaderboard(keep.root, aliases=[f"{GOOD}=A"])
    board = report.leaderboard(keep.root, aliases=[f"{GOOD} @11111111=A"])
    assert set(board.models) == {"A", f"{GOOD} @22222222"}


def test_the_flag_is_given_once_for_each_model(suite, capsys, tmp_path):
    flags = [word for name in NAMES for word in ("--alias", name)]
    where = ["--results", str(suite)]
    assert main(["leaderboard", *where, *flags, "--format", "json"]) == 0
    assert {row["model"] for row in json.loads(capsys.readouterr().out)} >= {"CLIP=B"}
    assert main(["compare", GOOD, CLOSE, *where, *flags]) == 0
    assert "B  CLIP=B" in capsys.readouterr().out
    assert main(["report", *where, *flags, "--out", str(tmp_path / "site")]) == 0
    assert "CLIP=B" in (tmp_path / "site" / "index.html").read_text()
