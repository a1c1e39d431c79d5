"""JSON documents with something else in one place."""

import copy
import json


def places(value, path=()):
    """Every place in a JSON document."""
    yield path
    keys = list(value) if isinstance(value, dict) else []
    keys = list(range(len(value))) if isinstance(value, list) else keys
    for key in keys:
        yield from places(value[key], (*path, key))


def replaced(document, path, text):
    """The document as text, with other JSON in one place."""
    if not path:
        return text
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = "@@here@@"
    return json.dumps(document).replace('"@@here@@"', text)
