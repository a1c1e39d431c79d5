"""The configuration of the code host, which runs only there, agrees with what is here."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.house.test_bootstrap import bootstrap  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def host(checkout):
    """Each YAML file of the code host, by its path below .github/."""
    folder = checkout / ".github"
    # As texts: YAML 1.1 takes the key `on` for true, and 3.10 for 3.1.
    return {
        str(path.relative_to(folder)): yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
        for path in folder.rglob("*.yml")
    }


def jobs(host):
    for name, document in host.items():
        if name.startswith("workflows/"):
            yield from document["jobs"].items()


def steps(host):
    for _, job in jobs(host):
        yield from job["steps"]
    for name, document in host.items():
        if name.startswith("actions/"):
            yield from document["runs"]["steps"]


def rows(job):
    """What a job is run with: the lines of its matrix."""
    matrix = job["strategy"]["matrix"]
    return matrix.get("include") or [{"target": target} for target in matrix["target"]]


def test_jobs_call_targets_of_the_makefile_and_scripts_that_are_there(host, checkout):
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9.-]+):.*## ", makefile, re.MULTILINE))
    called = {row["target"] for _, job in jobs(host) for row in rows(job)}
    assert called == {"lint", "docs", "release-check", "test-1.16", "test-1.21"}
    assert called <= targets
    commands = [step["run"].split()[:2] for step in steps(host) if "run" in step]
    others = [first for first, *rest in commands if [first, *rest] != ["make", '"$TARGET"']]
    assert others
    assert [name for name in others if not (checkout / name).is_file()] == []


def test_every_set_of_versions_is_tested(host, bootstrap):  # noqa: F811
    tested = {
        (row["target"].partition("-")[2], row["python-version"])
        for name, job in jobs(host)
        if name == "test"
        for row in rows(job)
    }
    assert tested == {(row.tfx, "{}.{}".format(*row.python)) for row in bootstrap.SETS}


def test_workflows_may_only_read_and_end_in_time(host):
    workflows = {name: each for name, each in host.items() if name.startswith("workflows/")}
    assert workflows
    for name, workflow in workflows.items():
        assert workflow["permissions"] == {"contents": "read"}, name
        assert "concurrency" in workflow, name
    assert [name for name, job in jobs(host) if "timeout-minutes" not in job] == []


def test_actions_are_named_with_a_version_or_are_ours(host, checkout):
    used = [step["uses"] for step in steps(host) if "uses" in step]
    assert len(used) >= 3
    for action in used:
        if action.startswith("./"):
            assert (checkout / action / "action.yml").is_file(), action
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", action), action


def test_what_is_checked_before_a_commit_is_what_make_lint_checks(checkout):
    text = (checkout / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = [hook for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]]
    assert [(hook["entry"], hook["pass_filenames"]) for hook in hooks] == [("make lint", False)]
