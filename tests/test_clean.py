"""Each kind of output shows a text as it is, whatever the text says."""

import csv
import html.parser
import io
import json
import re
import subprocess

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import hostile
from biobench import clean

texts = hostile.names | st.text(max_size=12)
every_text = texts | st.text(st.characters(categories=["Cs", "Cf", "Cc"]), max_size=4)


def test_every_character_that_cannot_be_seen_is_spelled():
    every = "".join(map(chr, range(0x110000)))
    assert not hostile.find_hidden(clean.line(every))
    assert not hostile.find_hidden(clean.lines(every), but="\n\t")


@given(every_text)
def test_what_can_be_seen_stays_and_cleaning_twice_changes_nothing(text):
    assert clean.line(clean.line(text)) == clean.line(text)
    assert clean.lines(clean.lines(text)) == clean.lines(text)
    seen = "".join(char for char in text if char.isprintable() and char.isascii())
    assert clean.line(seen) == seen


def test_letters_of_every_script_stay():
    for text in ("Käfer", "名前", "אב", "עברית", "🙂", "naïve − ½ × 3…", "ﬁ", "Ω"):
        assert clean.line(text) == text


def test_a_terminal_is_not_obeyed():
    assert clean.line("a\x1b[2Jb\x9bc\u202ed\ne") == r"a\x1b[2Jb\u009bc\u202ed\ne"
    assert clean.lines("a\nb\tc\rd") == "a\nb\tc\\rd"
    assert clean.line("caf\udce9") == r"caf\xe9"
    assert clean.sentence(" one\n  two\r\nthree ") == "one two three"


def read_inline(token):
    """The text of a Markdown token; fails for any markup in it."""
    kinds = {child.type for child in token.children}
    assert kinds <= {"text", "text_special"}, kinds
    return "".join(child.content for child in token.children)


@given(texts)
@settings(deadline=None)
def test_markdown_shows_a_name_in_a_cell_and_in_a_note(text):
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    name = clean.markdown(text)
    tokens = parser.parse(f"| A | B |\n| --- | --- |\n| {name} | x |\n\n- {name}")
    inline = [read_inline(token) for token in tokens if token.type == "inline"]
    shown = re.sub(r"^[ \t]+|[ \t]+$", "", clean.line(text).strip())
    assert inline == ["A", "B", *([shown] if shown else [""]), "x", *([shown] if shown else [])]
    assert not {token.type for token in tokens} & {"html_block", "heading_open", "hr", "fence"}


def test_markdown_makes_no_links_of_its_own():
    for text in ("http://evil.example", "www.evil.example", "me@evil.example"):
        assert not re.search(r"://|www\.|\w@", clean.markdown(text))


LATEX = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textasciigrave{}": "`",
    r"\symbol{34}": '"',
    "$-$": "−",
    "-{}": "-",
    **{f"{{{char}}}": char for char in "[]*"},
    **{f"\\{char}": char for char in "&%$#_{}"},
}
LATEX_TOKEN = re.compile("|".join([*map(re.escape, LATEX), r'[^\\~^<>|`"&%$#_{}\[\]*−]']))


@given(texts)
def test_latex_shows_every_character_and_obeys_none(text):
    made = clean.latex(text)
    tokens = LATEX_TOKEN.findall(made)
    assert "".join(tokens) == made
    shown = "".join(LATEX.get(token, token) for token in tokens)
    assert shown == clean.line(text).replace("–", "--")
    assert "--" not in made.replace("–", "") or "–" in text


@given(st.lists(st.none() | texts, min_size=1, max_size=6), st.integers(-9, 9))
@settings(deadline=None)
def test_no_cell_of_a_csv_file_is_a_formula_and_the_documented_way_undoes_it(cells, number):
    table = pl.DataFrame(
        {"text": cells, "number": [number] * len(cells)}, schema_overrides={"text": pl.String}
    )
    written = clean.csv_table(table).write_csv()
    rows = list(csv.reader(io.StringIO(written, newline="")))[1:]
    for (text, as_number), cell in zip(rows, cells, strict=True):
        assert as_number == str(number)
        assert not hostile.find_hidden(text, but="\n\t")
        is_number = re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", text)
        assert text[:1] not in tuple("=+-@\t\r\n") or is_number
        undone = re.sub(r"^'(?=['\s]*[=+\-@＝＋－＠\t\r\n])", "", text)
        assert undone == clean.lines(cell or "")
        assert text == (clean.csv(cell) if cell else "")


def test_numbers_in_a_csv_file_stay_numbers():
    for text in ("-5", "+0.25", "-1e-3", "-.5", "7", "–"):
        assert clean.csv(text) == text
    for text in ("-5+1", "=1", "-", "@x", "\t1", "'=1", " =1", "＝1"):
        assert clean.csv(text) == f"'{text}"


@given(st.dictionaries(every_text, every_text | st.floats() | st.none() | st.lists(every_text)))
def test_json_is_ascii_and_valid_for_strict_readers(value):
    made = clean.to_json([value])
    assert made.isascii()
    (read,) = json.loads(made, parse_constant=pytest.fail)
    json.dumps(read, ensure_ascii=False).encode()
    if not hostile.find_hidden("".join(value)) and all(isinstance(v, str) for v in value.values()):
        assert list(read) == list(value)


class Reader(html.parser.HTMLParser):
    """Collects the text and the attributes of a piece of HTML."""

    def __init__(self):
        super().__init__()
        self.texts, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, attrs))

    def handle_data(self, data):
        self.texts.append(data)


@given(texts)
def test_html_shows_a_name_as_text_and_as_an_attribute(text):
    reader = Reader()
    reader.feed(f'<p title="{clean.html(text)}">{clean.html(text)}</p>')
    reader.close()
    assert reader.attributes == [("p", [("title", clean.lines(text))])]
    assert "".join(reader.texts) == clean.lines(text)


def test_a_command_is_read_by_bash_as_it_was_meant():
    words = [piece.replace("\x00", "") or "''" for piece in hostile.PIECES]
    words += ["a b", "it's", "x\x1b'y\\\n", "\u202e'", "caf\udce9", "\x85", "\U000e0041\\"]
    command = clean.shell(["printf", "%s\\0", *words])
    assert not hostile.find_hidden(command)
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, env={"LC_ALL": "C.UTF-8"}, check=True
    )
    assert done.stdout.split(b"\0")[:-1] == [
        word.encode(errors="surrogateescape") for word in words
    ]
