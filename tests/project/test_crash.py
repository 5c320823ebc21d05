"""A writer that is killed at any step leaves the old or the new state, whole."""

import random
import subprocess
import sys

import disk_steps
import pytest

from napari_mesmerize.project import create_project, open_project

pytestmark = pytest.mark.skipif(
    not hasattr(sys.modules["os"], "fork"), reason="kills forked processes"
)


class Killer:
    """The process that forks writers and lets them die."""

    def __init__(self, script, project):
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(project.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, operation, version, at):
        self._process.stdin.write(f"{operation} {version} {at}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def crashing(tmp_path_factory, crash_process):
    """A project with one sample, and the killer of its writers."""
    project = create_project(
        tmp_path_factory.mktemp("crash") / "project",
        roi_tags=["region"],
        stimulus_types=["odour"],
        custom_columns={"age_days": int},
    )
    project.add_sample("m1", "t1", **crash_process.make_parts(0))
    killer = Killer(crash_process.__file__, project)
    yield project.path, killer
    killer.close()


def state_of(path, version_of):
    """Return all that the operations change; fails if anything is not whole."""
    project = open_project(path)
    hidden = [p.name for p in (path / "samples").iterdir() if p.name.startswith(".")]
    assert [name for name in hidden if name != ".guard" and "lock" not in name] == []
    state = {"tags": project.roi_tags}
    for sample_id in project.samples:
        sample = project.sample(sample_id)
        version = version_of(sample)
        state[sample_id] = (version, sample.comments, sample.rois["region"].iloc[0])
    return state


def expected_after(operation, version, before):
    """Return the state that an operation leads to."""
    after = dict(before)
    now, comments, region = before["m1-_-t1"]
    fresh = (version, f"version {version}", f"region {version}")
    new = next((key for key in before if key.startswith("new")), None)
    if operation == "add":
        after[f"new-_-v{version}"] = fresh
    elif operation == "overwrite":
        after["m1-_-t1"] = fresh
    elif operation == "update_rois":
        after["m1-_-t1"] = (now, comments, f"edit {version}")
    elif operation == "update_sample":
        after["m1-_-t1"] = (now, f"edit {version}", region)
    elif operation == "configure":
        after["tags"] = (*before["tags"], f"tag{version}")
    elif operation == "remove":
        after.pop(new)
    return after


def check_after(operation, version, before, path, version_of):
    """Fail unless the state is the one before or after; return it."""
    found = state_of(path, version_of)
    if operation == "restore" and found != before:
        before = {**before, "m1-_-t1": found["m1-_-t1"]}
        assert found["m1-_-t1"] == (0, "version 0", "region 0")
    after = expected_after(operation, version, before)
    assert found in (before, after)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "version"),
    [
        ("overwrite", 1000),
        ("add", 2000),
        ("update_rois", 3000),
        ("update_sample", 4000),
        ("configure", 5000),
        ("restore", 6000),
        ("remove", 7000),
    ],
)
def test_every_step_may_be_the_last(
    operation, version, crashing, crash_process, version_of
):
    path, kill = crashing
    project = open_project(path)
    if operation == "restore":
        parts = crash_process.make_parts(version)
        project.add_sample("m1", "t1", **parts, overwrite=True)
    n_steps = count_steps(project, operation, version, crash_process)
    state = state_of(path, version_of)
    early = range(0, n_steps - 24, max(1, n_steps // 10))
    late = range(max(0, n_steps - 24), n_steps + 20)
    for step in [*early, *late]:  # more steps, since the last one's lock is in the way
        for sample_id in [key for key in state if key.startswith("new")]:
            project.remove_sample(sample_id)
        if operation == "remove":
            project.add_sample("new", "v1", **crash_process.make_parts(1))
        version += 1
        before = state_of(path, version_of)
        answer = kill(operation, version, step)
        state = check_after(operation, version, before, path, version_of)
        if answer.startswith("done"):
            break
        assert answer == "killed"
    assert answer.startswith("done")
    assert state != before or operation == "restore"


def count_steps(project, operation, version, crash_process):
    """Return how many steps an operation takes in the project folder."""
    if operation == "remove":
        project.add_sample("new", "v1", **crash_process.make_parts(1))
    with disk_steps.watching(project.path) as steps:
        crash_process.OPERATIONS[operation](project, version)
    return len(steps)


@pytest.mark.slow
def test_killing_at_random_moments_leaves_the_old_or_the_new(crashing, version_of):
    path, kill = crashing
    state = state_of(path, version_of)
    answer = kill("overwrite", 999, 10**6)
    assert answer.startswith("done")
    duration = float(answer.split()[1])
    state = check_after("overwrite", 999, state, path, version_of)
    chance = random.Random(5)
    seen = set()
    for version in range(10000, 10040):
        before = state
        answer = kill("overwrite", version, f"{chance.uniform(0, 1.2 * duration):.4f}s")
        state = check_after("overwrite", version, before, path, version_of)
        seen.add("old" if state == before else "new")
    assert "old" in seen


def test_what_a_killed_writer_replaced_is_in_the_backups(crashing, version_of):
    path, kill = crashing
    before = state_of(path, version_of)["m1-_-t1"][0]
    assert kill("overwrite", 77, 10**6).startswith("done")
    kept = open_project(path).backups("m1-_-t1")[0]
    assert kept.what == "samples/m1-_-t1"
    project = open_project(path)
    project.restore(kept)
    assert version_of(project.sample("m1-_-t1")) == before
