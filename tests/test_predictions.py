from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.interfaces import Example
from biobench.predictions import KNOWN_COLUMNS, take_columns
from biobench.results import read_predictions, to_examples, to_table, write_run
from results_world import make_report

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
OPTIONAL_TEXT = st.none() | TEXT
FREE = st.sampled_from(["taxon", "location", "lätitude", "n", "day"])


@st.composite
def infos(draw, kinds):
    info = {
        "subtask": draw(OPTIONAL_TEXT),
        "group": draw(OPTIONAL_TEXT),
        "y_true": draw(TEXT),
        "y_pred": draw(OPTIONAL_TEXT),
        "top_labels": draw(st.none() | st.lists(TEXT, max_size=5)),
        "top_scores": draw(st.none() | st.lists(st.floats(0, 1), max_size=5)),
        "train_count": draw(st.none() | st.integers(0, 2**40)),
    }
    return info | {name: draw(st.none() | values) for name, values in kinds.items()}


@st.composite
def example_lists(draw):
    columns = st.sampled_from(
        [TEXT, st.integers(-(2**50), 2**50), st.floats(allow_nan=False), st.booleans()]
    )
    kinds = draw(st.dictionaries(FREE, columns, max_size=3))
    one = st.builds(Example, TEXT, st.floats(0, 1), infos(kinds))
    return draw(st.lists(one, max_size=8))


@settings(max_examples=80, deadline=None)
@given(example_lists())
def test_examples_come_back_from_the_table_as_they_were(examples):
    assert to_examples(to_table(examples)) == examples


def test_a_run_gives_back_the_examples_it_was_written_from(tmp_path):
    report = make_report(n=20, n_groups=3)
    run = write_run(tmp_path, "insects", ("timm", "a"), report)
    assert to_examples(read_predictions(run)) == report.examples


def test_known_columns_are_there_even_where_no_example_has_them():
    table = to_table([Example("a", 0.5, {})])
    assert dict(table.schema) == KNOWN_COLUMNS
    assert table.row(0, named=True) == dict.fromkeys(KNOWN_COLUMNS) | {"example": "a", "score": 0.5}


def test_labels_that_are_numbers_become_text():
    table = to_table([Example("a", 1.0, {"y_true": 3, "y_pred": 3})])
    assert table["y_true"].to_list() == table["y_pred"].to_list() == ["3"]


def test_values_of_mixed_kinds_are_kept_as_json_text():
    examples = [
        Example("a", 1.0, {"note": {"x": 1}, "mixed": 1}),
        Example("b", 1.0, {"note": None, "mixed": "one"}),
    ]
    table = to_table(examples)
    assert table["note"].to_list() == ['{"x": 1}', None]
    assert table["mixed"].to_list() == ["1", '"one"']


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3), st.sampled_from([0.0, 2.5, "ant", "\udc80"])),
            st.one_of(st.none(), st.integers(0, 3), st.sampled_from([1.0, "ant"])),
        ),
        min_size=1,
    )
)
def test_a_metric_reads_from_examples_what_it_reads_from_their_table(labels):
    examples = [
        Example(f"{i}.jpg", 1.0, {"y_true": true, "y_pred": pred, "top_labels": [str(pred)]})
        for i, (true, pred) in enumerate(labels)
    ]
    names = ["y_true", "y_pred", "top_labels"]
    table = to_table(examples).select("example", *names)
    assert take_columns(examples, [*names, "organ"]).equals(table)
