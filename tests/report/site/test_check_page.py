import dataclasses
import re

from biobench import report, results
from results_world import make_report

EVIL = "<b>evil</b>/../x.jpg"


def make_page(tmp_path, **more):
    made = make_report(n=44)
    provenance = dataclasses.replace(made.provenance, **more)
    made = dataclasses.replace(made, provenance=provenance)
    results.write_run(tmp_path / "results", "birds", ("timm", "a"), made)
    report.write_site(tmp_path / "results", tmp_path / "site")
    text = (tmp_path / "site" / "data-check.html").read_text(encoding="utf-8")
    return re.sub(r"</?(bdi|code|span)[^>]*>", "", text)


def test_findings_of_the_check_and_files_of_the_run_are_listed_by_name(tmp_path):
    finding = {"kind": "duplicates", "n": 3, "is_trouble": True}
    note = {"kind": "rare", "n": 1, "sentence": "One class is rare.", "is_trouble": False}
    text = make_page(
        tmp_path,
        checked={
            "n_pictures": 50,
            "n_read": 50,
            "findings": [note, finding | {"sentence": "3 test pictures are in training."}],
        },
        skipped=[{"image": EVIL, "split": "test", "reason": "truncated"}],
        left_out=[{"path": f"x/{i}.txt", "reason": "no picture"} for i in range(70)],
    )
    trouble, rare = text.index("3 test pictures are in training."), text.index("One class is rare.")
    assert trouble < rare and '<li class="warning">3 test pictures' in text
    assert "&lt;b&gt;evil&lt;/b&gt;/../x.jpg" in text and EVIL not in text
    assert "not readable: truncated (1)" in text and "left out: no picture (70)" in text
    assert "<li>x/59.txt</li>" in text and "<li>x/60.txt</li>" not in text
    assert "and 10 more" in text and "biobench check" not in text.split("birds</h2>")[1]


def test_data_that_nobody_checked_are_said_to_be_unchecked_with_the_command(tmp_path):
    text = make_page(tmp_path)
    assert "not checked" in text and "biobench check birds --data ROOT" in text
    assert "not readable: truncated (1)" in text and "<li>a.jpg</li>" in text
