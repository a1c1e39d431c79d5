"""`tests/` mirrors the package: each module has a test file, and each test file has a module.

`tfx_wine_ext/a/b.py` is tested by `tests/a/test_b.py`, and by further files
`tests/a/test_b_*.py` if one is too long or needs a browser; `a/__init__.py` by
`tests/a/test_package.py`. A module that defines no function but special methods (only names from
elsewhere, constants, fields, errors without behaviour) needs no test file.
"""

from __future__ import annotations

import ast
import pathlib

# Folders whose tests are of something else than a module of the package.
NO_MIRROR = {"benchmarks", "contract", "docs", "engines", "examples", "house", "versions"}
# Tests of what only several modules do together.
TOGETHER = {
    "cli/test_span_dates.py": "tables, pages and documents show the date of a span",
    "cli/test_on_s3.py": "the commands drift and ingest on an object store",
    "cli/test_remote_artifacts.py": "all commands on a store say what is at an address",
    "cli/test_unread.py": "all commands on a store say what they could not read",
    "components/test_in_memory.py": "all components on a file system in memory",
    "components/test_lost_files.py": "drivers, executors and resolvers of all components",
    "sources/test_bad_files.py": "every file format against every damage",
    "lineage/test_fuzz.py": "stores, documents and pages of damaged files",
}
# Modules whose tests have other names.
TESTED_ELSEWHERE = {
    "components/*visualization*.py": "the tests of the components, which show pages in notebooks",
    "components/ingest_arguments.py": "the tests of both ExampleGens",
    "drivers/example_gen.py": "the tests of both ExampleGens",
    "executors/example_gen.py": "the tests of both ExampleGens",
}
# Drivers and executors of components may do without a test file of their own:
# tests/components/test_NAME.py runs them on both launch paths.
RUN_BY_COMPONENTS = {"drivers", "executors"}


def modules(checkout: pathlib.Path) -> dict[str, bool]:
    """Returns the path of each test file that is for a module, and whether there must be one."""
    root = checkout / "tfx_wine_ext"
    expected = {}
    for path in root.rglob("*.py"):
        name = {"__init__": "package", "__main__": "main"}.get(path.stem, path.stem)
        module = path.relative_to(root)
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        defined = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
        test = module.with_name(f"test_{name}.py")
        run_by_component = (
            module.parts[0] in RUN_BY_COMPONENTS
            and (checkout / "tests" / "components" / test.name).exists()
        )
        needed = not all(each.startswith("__") for each in defined)
        needed &= not run_by_component and not any(map(module.match, TESTED_ELSEWHERE))
        expected[test.as_posix()] = needed or name == "main"
    return expected


def test_each_module_has_a_test_file(checkout: pathlib.Path) -> None:
    missing = [path for path, needed in modules(checkout).items() if needed]
    assert [path for path in sorted(missing) if not (checkout / "tests" / path).exists()] == []


def test_each_test_file_is_called_by_the_module_that_it_tests(checkout: pathlib.Path) -> None:
    tests = checkout / "tests"
    paths = [path.relative_to(tests) for path in sorted(tests.rglob("test_*.py"))]
    names = [path.as_posix() for path in paths if path.parts[0] not in NO_MIRROR]
    known = [path.removesuffix(".py") for path in modules(checkout)]
    strays = [
        name
        for name in names
        if not any(name == f"{path}.py" or name.startswith(f"{path}_") for path in known)
    ]
    assert strays == sorted(TOGETHER)
