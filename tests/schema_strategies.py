"""Values that a JSON schema allows, as a Hypothesis strategy.

hypothesis-jsonschema knows neither recursive definitions nor `prefixItems`; this knows the words
that our schema uses, and stops at others.
"""

from hypothesis import strategies as st

NOTES = {"$schema", "$id", "$defs", "title", "description"}
WORDS = {"type", "const", "enum", "$ref", "pattern", "minLength", "minimum", "maximum"}
WORDS |= {"required", "properties", "additionalProperties", "oneOf", "anyOf", "items"}
WORDS |= {"prefixItems", "minItems", "maxItems"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def from_schema(schema, root=None, depth=4):
    """A strategy of what `schema` allows; at most `depth` references in one another."""
    root = schema if root is None else root
    unknown = set(schema) - NOTES - WORDS
    assert not unknown, f"no strategy knows the schema's words {unknown}"
    if "$ref" in schema:
        if depth == 0:
            return st.none()
        definition = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return from_schema(definition, root, depth - 1)
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return st.one_of([from_schema(one, root, depth) for one in schema[word]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_kind(kind, schema, root, depth) for kind in kinds])


def _of_kind(kind, schema, root, depth):
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "integer":
        return st.integers(low, high)
    if kind == "number":
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z")
    if kind == "string":
        return TEXTS.filter(lambda text: len(text) >= schema.get("minLength", 0))
    if kind == "array" and "prefixItems" in schema:
        return st.tuples(*(from_schema(one, root, depth) for one in schema["prefixItems"])).map(
            list
        )
    if kind == "array":
        return st.lists(from_schema(schema["items"], root, depth), max_size=3)
    if kind == "object":
        return _objects(schema, root, depth)
    return {"null": st.none(), "boolean": st.booleans()}[kind]


def _objects(schema, root, depth):
    more = schema.get("additionalProperties")
    other = from_schema(more, root, depth) if isinstance(more, dict) else None
    named = {n: from_schema(one, root, depth) for n, one in schema.get("properties", {}).items()}
    needed = {name: named.pop(name, other) for name in schema.get("required", [])}
    known = st.fixed_dictionaries(needed, optional=named)
    if other is None:
        return known
    others = st.dictionaries(TEXTS, other, max_size=3)
    return st.tuples(others, known).map(lambda pair: pair[0] | pair[1])
