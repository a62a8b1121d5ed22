"""One registry for four kinds: what is registered or offered has all that its kind needs."""

import ast
import pathlib
import sys
import types
import warnings

import pytest

import biobench
from biobench import errors, imports, metrics, probes, registry
from biobench.errors import BadInput
from biobench.interfaces import TaskArgs, VisionBackbone
from biobench.registry import Origin

SOURCE = pathlib.Path(biobench.__file__).parent
KINDS = {
    "biobench.backbones": registry.BACKBONES,
    "biobench.tasks": registry.TASKS,
    "biobench.probes": probes.PROBES,
    "biobench.metrics": metrics.METRICS,
}
OFFERS = {
    "backbones": "class Thing: pass",
    "tasks": "",
    "probes": "class Thing: pass",
    "metrics": "class Thing: pass",
}
LACKS = {
    "backbones": "descends from biobench.interfaces.VisionBackbone",
    "tasks": "it has no Args, load, protocol, benchmark",
    "probes": "it has no deciding, edges_, for_protocol, fit, class_scores, predict, get_params",
    "metrics": "it has no name, fields, macro, __call__, from_counts",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """The registries without what other tests registered, and the modules as they were."""
    for known in KINDS.values():
        monkeypatch.setattr(known, "registered", {})
        monkeypatch.setattr(known, "_loaded", {})
        monkeypatch.setattr(known, "_origins", {})
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("offered", "registers")):
            del sys.modules[name]


def offer(folder, group, name, target, module="offered", code=""):
    """A package among the installed ones that offers one thing."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")


@pytest.mark.parametrize("known", KINDS.values(), ids=KINDS)
def test_biobenchs_own_pass_the_check_of_their_kind(known):
    for name in known.builtins:
        assert known._find_faults(name, known.load(name)) == []
        assert known.find_origin(name) is None


@pytest.mark.parametrize("kind", OFFERS)
def test_what_a_package_offers_is_refused_with_all_that_it_lacks(kind, tmp_path, monkeypatch):
    target = "offered" if kind == "tasks" else "offered:Thing"
    offer(tmp_path, f"biobench.{kind}", "odd", target, code=OFFERS[kind])
    monkeypatch.syspath_prepend(tmp_path)
    known = KINDS[f"biobench.{kind}"]
    assert "odd" in known.names()
    with pytest.raises(BadInput, match=rf"'odd' of the package offered 2.5.*{LACKS[kind]}"):
        known.load("odd")


def test_a_package_that_cannot_be_imported_is_a_sentence(tmp_path, monkeypatch):
    offer(tmp_path, "biobench.tasks", "odd", "offered", code="raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match=r"'odd' of the package offered 2.5 cannot.*no licence"):
        registry.load_task("odd")


def test_an_empty_module_is_no_task():
    with pytest.raises(BadInput, match="it has no Args, load, protocol, benchmark"):
        registry.register_task("moths", types.ModuleType("moths"))
    module = types.ModuleType("moths")
    module.Args, module.load = dict, len
    with pytest.raises(BadInput, match="it has no protocol, benchmark"):
        registry.register_task("moths", module)
    module.protocol = module.benchmark = len
    with pytest.raises(BadInput, match="its Args is no class that descends"):
        registry.register_task("moths", module)
    module.Args = TaskArgs
    registry.register_task("moths", module)
    assert registry.load_task("moths") is module


def test_a_backbone_without_its_two_methods_is_refused():
    class Half(VisionBackbone):
        def img_encode(self, batch):
            return batch

    with pytest.raises(BadInput, match="it has no make_img_transform"):
        registry.register_vision_backbone("half", Half)


def test_a_metric_or_probe_that_lacks_something_is_refused():
    class Mean(metrics.ExampleMean):
        name = "mean-of-nothing"

    with pytest.raises(BadInput, match="it has no columns, values"):
        metrics.METRICS.register("mean-of-nothing", Mean())

    class Odd(metrics.Accuracy):
        name = "odd"
        fields = frozenset({"n_true", "n_twice"})

    with pytest.raises(BadInput, match="it needs the counts n_twice, which there are not"):
        metrics.register_metric(Odd())

    class NoScores(probes.Probe):
        deciding = ()

    with pytest.raises(BadInput, match="it has no fit, _score_classes"):
        probes.register_probe("odd", NoScores)

    class Misnamed(probes.KNN):
        deciding = ("neighbours",)

    with pytest.raises(BadInput, match="takes no neighbours, which `deciding` names"):
        probes.register_probe("odd", Misnamed)


def test_a_metric_that_forgets_its_name_is_refused():
    class Mean(metrics.ExampleMean):
        columns = ()

        def values(self, predictions):
            return predictions["score"].to_numpy()

    class Weighted(metrics.WeightedMetric):
        columns = ()

        def prepare(self, predictions):
            return predictions["score"].to_numpy()

        def from_weights(self, rows, weights):
            return rows @ weights / weights.sum(axis=0)

    for cls in (Mean, Weighted):
        with pytest.raises(BadInput, match=r"cannot be used: it has no name \("):
            metrics.register_metric(cls())
        with pytest.raises(BadInput, match=r"metric 'mine' .* it has no name \("):
            metrics.METRICS.register("mine", cls())
        named = type(cls.__name__, (cls,), {"name": "mine"})()
        metrics.register_metric(named)
        assert metrics.get_metric("mine") is named
        del metrics.METRICS.registered["mine"]


def test_replacing_what_is_there_warns_and_the_same_thing_twice_does_not():
    class Mine(probes.KNN):
        pass

    with pytest.warns(UserWarning, match="Overwriting the probe registered as 'knn'"):
        probes.register_probe("knn", Mine)
    assert probes.PROBES.load("knn") is Mine
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probes.register_probe("knn", Mine)


def test_a_module_that_registers_what_its_package_offers_is_no_replacement(tmp_path, monkeypatch):
    code = "from biobench import probes\nclass Own(probes.KNN): pass\n"
    code += "probes.register_probe('own', Own)\n"
    offer(tmp_path, "biobench.probes", "own", "offered:Own", code=code)
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probes.PROBES.load("own").__name__ == "Own"
    assert probes.PROBES.find_origin("own") == Origin(package="offered 2.5")


def test_where_a_thing_came_from_is_what_to_give_to_imports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = "from biobench import probes\nclass Own(probes.KNN): pass\n"
    code += "probes.register_probe('{}', Own)\n"
    (tmp_path / "registers_a.py").write_text(code.format("a"))
    (tmp_path / "registers_b.py").write_text(code.format("b"))
    imports.import_modules(["registers_a.py", "registers_b"])
    file = str(tmp_path / "registers_a.py")
    assert probes.PROBES.describe_origin("a") == [{"kind": "probe", "name": "a", "imports": file}]
    assert probes.PROBES.find_origin("b") == Origin(imports="registers_b")
    probes.register_probe("c", type("Here", (probes.KNN,), {"__module__": __name__}))
    assert probes.PROBES.find_origin("c") == Origin(imports=__name__)
    assert probes.PROBES.describe_origin("knn") == []


@pytest.mark.parametrize("name", ["timm", "timm:", ":resnet50", ""])
def test_what_is_no_model_is_refused_with_the_known_organisations(name):
    with pytest.raises(BadInput, match=r"write ORG:CKPT.*known ORGs: .*timm"):
        registry.parse_model(name)


def test_the_first_colon_of_a_model_parts_it():
    assert registry.parse_model("timm:local:a//b:c") == ("timm", "local:a//b:c")


def test_what_was_meant_is_asked_in_one_place():
    assert errors.did_you_mean("rigde", ["ridge", "svm"]) == " Did you mean 'ridge'?"
    assert errors.did_you_mean("rigde", ["x"]) == ""
    users = {p.name for p in SOURCE.rglob("*.py") if "difflib" in p.read_text()}
    assert users == {"errors.py"}


def list_hooks():
    """What a backbone has beside what every module of torch has."""
    own = {name for name in vars(VisionBackbone) if not name.startswith("_")}
    return own | {"pooling"}


def test_every_hook_of_a_backbone_has_a_default_and_is_described():
    hooks = {"adapter_version", "description", "example_ckpts", "weights_source", "check_ckpt"}
    hooks |= {"cache_identity", "describe_pooling", "data_config", "choices", "get_pooling"}
    hooks |= {"has_text_tower", "load_text_tower"}
    assert hooks | {"img_encode", "make_img_transform"} == list_hooks() - {"pooling"}
    tree = ast.parse((SOURCE / "_backbone.py").read_text())
    (body,) = [node.body for node in tree.body if getattr(node, "name", "") == "VisionBackbone"]
    described = set()
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            described.add(node.name)
        if isinstance(node, ast.AnnAssign) and isinstance(below, ast.Expr):
            described.add(node.target.id)
    assert hooks <= described
    bare = VisionBackbone()
    assert (bare.check_ckpt("any"), bare.cache_identity(), bare.data_config()) == (None,) * 3
    assert not bare.has_text_tower("any")
    assert (tuple(bare.choices), bare.get_pooling()) == ((), None)
    assert (bare.description, tuple(bare.example_ckpts), bare.weights_source) == ("", (), "")


def test_nothing_asks_a_backbone_whether_it_has_a_hook():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("getattr", "hasattr") and path.name != "_backbone.py":
                asked = {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
                assert not asked & list_hooks(), f"{path}:{node.lineno}"
