"""Real engines, orchestrators and servers, and the wine pipeline on each of them.

`python -m engines NAME` (or ``make NAME``) installs what NAME needs into ``.engines/NAME/``, starts
it on 127.0.0.1, runs the wine pipeline on two spans, compares rows, shards, verdicts and models
with a run in one process, stops what it started, and prints a table. `tests/engines` runs the same.

A target is a module of this package with a docstring and one function:

    def run(folder: Path, in_process: Result) -> Iterator[Check]

`folder` is empty and its own; `in_process` is what the two spans gave without the engine. It yields
a `Check` for everything that it looked at, and raises `EngineError` if it cannot go on. What it
starts it starts by `engines.servers.server`, what it installs by `engines.installing`, and the
pipeline it runs by `engines.wine.two_spans`.
"""
