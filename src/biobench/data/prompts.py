"""The sentences that name a class, for models that read: a name in one of four forms, in templates.

    name = write_name({"scientific": "Vulpes vulpes", "common": "red fox", …}, "mixed")
    prompts = [template.format(name) for template in list_templates("openai")]

Forms (Stevens et al., "BioCLIP", CVPR 2024, arXiv 2311.18803, section 3.2):

    common       red fox
    scientific   Vulpes vulpes
    taxonomic    Animalia Chordata Mammalia Carnivora Canidae Vulpes vulpes
    mixed        the taxonomic form (or as much of it as is known) `with common name` red fox
"""

import typing
from collections.abc import Mapping

from biobench.data.names import TAXA, get_scientific, to_words

__all__ = ["Form", "TemplateSet", "list_templates", "write_name"]

Form = typing.Literal["mixed", "common", "scientific", "taxonomic"]
TemplateSet = typing.Literal["openai", "simple", "bioclip", "none"]

# The seven of Linnaeus, of which the last stands in the scientific name.
_LINEAGE = tuple(rank for rank in TAXA if rank not in ("tribe", "species"))


def list_templates(name: TemplateSet) -> tuple[str, ...]:
    """The sentences of a set, with {} for the name.

    openai: the 80 that OpenAI chose for ImageNet (openai/CLIP, notebook "Prompt Engineering for
        ImageNet"), with which BioCLIP's authors evaluate, too. simple: the seven of them that the
        notebook ends with. Both as OpenCLIP has them.
    bioclip: the one of the captions that BioCLIP was trained on. none: the name alone.
    """
    if name == "none":
        return ("{}",)
    if name == "bioclip":
        return ("a photo of {}.",)
    import open_clip

    sets = {
        "openai": open_clip.OPENAI_IMAGENET_TEMPLATES,
        "simple": open_clip.SIMPLE_IMAGENET_TEMPLATES,
    }
    return tuple(template("{}") for template in sets[name])


def write_name(names: Mapping[str, str | None], form: Form) -> str | None:
    """A class's name in a form; None where what is known of it does not give it.

    names: of `biobench.data.names.COLUMNS`. A class of which only a text is known is called that,
    except in the taxonomic form.
    """
    scientific, common = get_scientific(names), names["common"]
    text = to_words(names["text"]) if names["text"] else None
    lineage = _write_lineage(names, scientific)
    if form == "common":
        return common or text
    if form == "scientific":
        return scientific or text
    if form == "taxonomic":
        return lineage
    first = lineage or scientific
    if first and common:
        return f"{first} with common name {common}"
    return first or common or text


def _write_lineage(names: Mapping[str, str | None], scientific: str | None) -> str | None:
    """The taxa from kingdom to species; None where no rank above the genus is known."""
    if not any(names[rank] for rank in TAXA[: TAXA.index("genus")]):
        return None
    taxa = [taxon for rank in _LINEAGE if (taxon := names[rank])]
    if scientific and taxa[-1:] == scientific.split()[:1]:
        # The genus stands in the scientific name.
        taxa.pop()
    return " ".join([*taxa, scientific] if scientific not in taxa else taxa)
