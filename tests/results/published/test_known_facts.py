import pytest

from biobench import metrics, registry
from biobench.results.published import WRONG, map_model, map_task


@pytest.mark.parametrize(
    ("ckpt", "org"),
    [
        ("ViT-B-32/openai", "open-clip"),
        ("PE-Core-L-14-336/meta", "open-clip"),
        ("ViT-H-14-worldwide/metaclip2_worldwide", "open-clip"),
        ("hf-hub:imageomics/bioclip-2", "open-clip"),
        ("hf-hub:BVRA/MegaDescriptor-L-384", "timm"),
        ("resnet50.a1_in1k", "timm"),
        ("vit_base_patch16_224.augreg2_in21k_ft_in1k", "timm"),
        ("vit_pe_spatial_tiny_patch16_512", "timm"),
        ("apple/aimv2-large-patch14-224", "hf"),
        ("dinov2_vitb14_reg", "published"),
        ("vitl16", "published"),
        ("../../etc/passwd", "published"),
        ("ViT-B-32/../openai", "published"),
        ("<b>", "published"),
    ],
)
def test_the_form_of_a_name_says_whose_it_is_and_the_name_stays(ckpt, org):
    assert map_model(ckpt) == (org, ckpt)


def test_an_organisation_that_is_ours_stays_and_another_does_not():
    assert map_model("a.b", "timm-vit") == ("timm-vit", "a.b")
    assert map_model("resnet50.a1_in1k", "their-cnn") == ("timm", "resnet50.a1_in1k")


def test_every_published_task_is_one_of_ours_with_a_metric_that_is_known():
    published = ["newt", "kabr", "iwildcam", "Pl@ntNet", "ImageNet-1K", "iNat21", "herbarium19"]
    published += ["plankton", "fungiclef", "FishNet", "beluga", "mammalnet", "ecdysis"]
    tasks = [map_task(name) for name in published]
    assert all(task.is_known for task in tasks)
    assert {task.name for task in tasks} == set(registry.list_tasks()) - {"folder"}
    assert all(metrics.is_known(task.metric) for task in tasks)
    assert set(WRONG) <= {task.name for task in tasks}
    assert not map_task("moths").is_known and map_task("moths").name == "moths"


def test_the_leaderboard_scores_each_task_as_its_preset_here_does():
    for name in set(registry.list_tasks()) - {"folder"}:
        task = registry.load_task(name)
        protocol, published = task.protocol(task.Args(protocol="2026")), map_task(name)
        assert (protocol.metric, protocol.title) == (published.metric, published.title)
