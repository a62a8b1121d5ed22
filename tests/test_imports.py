"""A user's own modules are imported by name or by file, and what fails is a sentence."""

import sys

import pytest

from biobench import imports
from biobench.errors import BadInput
from biobench.imports import import_modules


@pytest.fixture
def clean_modules(monkeypatch):
    """sys.path and sys.modules as they were, after a test that imports files."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_imports_may_be_files_with_modules_beside_them(tmp_path, clean_modules):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "helper_of_plugin.py").write_text("VALUE = 3")
    (folder / "my_plugin_file.py").write_text("from helper_of_plugin import VALUE\n")
    for _ in range(2):
        import_modules(["plugins/my_plugin_file.py"], [str(tmp_path)])
    assert sys.modules["my_plugin_file"].VALUE == 3
    assert sys.modules["my_plugin_file"].__file__ == str(folder / "my_plugin_file.py")


@pytest.mark.parametrize(
    "name, says",
    [
        ("missing_file.py", "no file missing_file.py"),
        ("broken_file.py", "'broken_file.py' cannot be imported.*SyntaxError"),
        ("json.py", "'json', which is another one already; rename"),
    ],
)
def test_a_file_that_cannot_be_imported_is_a_sentence(name, says, tmp_path, clean_modules):
    (tmp_path / "broken_file.py").write_text("def")
    (tmp_path / "json.py").write_text("")
    with pytest.raises(BadInput, match=says):
        import_modules([name], [str(tmp_path)])
    assert "broken_file" not in sys.modules


def test_what_is_imported_knows_by_which_name_it_was_asked_for(tmp_path, clean_modules):
    (tmp_path / "asks_who.py").write_text(
        "from biobench import imports\nASKED = imports.get_current()\n"
    )
    import_modules(["asks_who.py"], [str(tmp_path)])
    assert sys.modules["asks_who"].ASKED == "asks_who.py"
    assert imports.get_current() == ""
