"""A run directory: whole or not at all, read back as it was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lift.analysis.diagnostics import Finding
from lift.analysis.effects import Effects
from lift.errors import RunError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.output import manifest as manifests
from lift.output import report, store

Save = Callable[..., Path]

FILES = {
    "effects.csv",
    "effects.parquet",
    "figures/creator_type.svg",
    "figures/curve.svg",
    "figures/influencer.svg",
    "figures/panels.svg",
    "figures/platform.svg",
    "figures/posts.svg",
    "figures/windows.svg",
    "manifest.json",
    "posterior.nc",
    "report.html",
    "spec.toml",
}


@pytest.fixture(scope="module")
def save(
    posterior: Posterior,
    effects: Effects,
    findings: list[Finding],
    run_manifest: dict[str, object],
) -> Save:
    def write(folder: Path, **options: object) -> Path:
        return store.save(
            folder,
            posterior=posterior,
            effects=effects,
            spec=ModelSpec(horizon_days=28),
            manifest=run_manifest,
            findings=findings,
            **options,  # type: ignore[arg-type]
        )

    return write


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, save: Save) -> Path:
    return save(tmp_path_factory.mktemp("runs") / "new" / "run")


@pytest.fixture
def run(tmp_path: Path, saved: Path) -> Path:
    """A copy of a saved run, alone in its folder."""
    return Path(shutil.copytree(saved, tmp_path / "new" / "run"))


def test_a_run_holds_every_file_and_its_digest(saved: Path) -> None:
    run = saved
    assert names(run) == FILES
    recorded = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert set(recorded["outputs"]) == FILES - {"manifest.json"}
    assert recorded["outputs"] == manifests.output_digests(run)
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_run_is_read_back_as_it_was_written(
    run: Path, posterior: Posterior, run_manifest: dict[str, object]
) -> None:
    stored = store.load(run)
    xr.testing.assert_identical(
        stored.posterior.tree["posterior"].to_dataset(), posterior.tree["posterior"].to_dataset()
    )
    assert stored.spec == ModelSpec(horizon_days=28)
    assert stored.manifest["seed"] == run_manifest["seed"]
    assert stored.truth is None
    pd.testing.assert_frame_equal(
        Effects(stored.posterior).table("post"),
        Effects(posterior).table("post"),
        check_dtype=False,  # netCDF keeps days, not the unit in which pandas counts them
    )


def test_truth_is_stored_beside_the_run(tmp_path: Path, save: Save, truth: pd.DataFrame) -> None:
    (tmp_path / "run").mkdir()  # an empty folder may be filled
    stored = store.load(save(tmp_path / "run", truth=truth))
    assert stored.truth is not None
    pd.testing.assert_frame_equal(stored.truth, truth)
    assert "Simulated data." in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_xarray_and_arviz_open_the_posterior(run: Path) -> None:
    with xr.open_datatree(run / "posterior.nc", engine="h5netcdf") as tree:
        loaded = tree.load()
    assert {"posterior", "observed_data", "constant_data", "sample_stats"} <= set(loaded.children)
    table = arviz_stats.summary(loaded, var_names=["noise_sd", "impulse"])
    assert len(table) == 5


def test_two_saves_give_the_same_bytes(run: Path, tmp_path: Path, save: Save) -> None:
    again = save(tmp_path / "again")
    for name in FILES:
        assert (again / name).read_bytes() == (run / name).read_bytes(), name


def test_effects_csv_is_plain_and_equals_the_parquet(run: Path, effects: Effects) -> None:
    content = (run / "effects.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    table = pd.read_csv(run / "effects.csv", encoding="utf-8")
    exact = pd.read_parquet(run / "effects.parquet")
    assert list(table.columns) == list(exact.columns)
    np.testing.assert_allclose(table["mean"], exact["mean"], rtol=1e-9)
    pd.testing.assert_frame_equal(exact, effects.long(), check_dtype=False)
    assert table["start"].dropna().iloc[0] == "2026-03-02"


def test_a_run_is_not_replaced_unless_told(run: Path, save: Save) -> None:
    with pytest.raises(RunError, match="holds a run already"):
        save(run)
    assert names(run) == FILES
    made = (run / "report.html").stat().st_ino
    save(run, overwrite=True)
    assert names(run) == FILES
    assert (run / "report.html").stat().st_ino != made
    assert [path.name for path in run.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_a_run_is_never_replaced(tmp_path: Path, save: Save, overwrite: bool) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "another tool"}', encoding="utf-8")
    with pytest.raises(RunError, match="not a run of lift"):
        save(other, overwrite=overwrite)
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="found a file"):
        save(file, overwrite=overwrite)
    with pytest.raises(RunError, match="file is a file"):
        save(file / "run", overwrite=overwrite)
    assert names(tmp_path) == {"thesis/manifest.json", "file"}


def test_a_run_with_somebody_elses_notes_is_not_replaced(run: Path, save: Save) -> None:
    (run / "notes.md").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match=r"did not write, such as notes\.md"):
        save(run, overwrite=True)
    assert names(run) == FILES | {"notes.md"}


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, OSError])
def test_a_stop_in_the_middle_leaves_nothing(
    tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def fail(*_: object) -> str:
        raise stop("in the middle")

    monkeypatch.setattr(report, "draw", fail)
    expected = RunError if stop is OSError else stop
    with pytest.raises(expected, match="in the middle"):
        save(tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_in_the_middle_leaves_the_earlier_run(
    run: Path, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (run / name).read_bytes() for name in FILES}

    def fail(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "draw", fail)
    with pytest.raises(KeyboardInterrupt):
        save(run, overwrite=True)
    assert {name: (run / name).read_bytes() for name in names(run)} == before
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_stop_between_the_two_renames_puts_the_earlier_run_back(
    run: Path, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {path.stem: path.read_text(encoding="utf-8") for path in run.glob("figures/*.svg")}
    monkeypatch.setattr(report, "draw", lambda _: drawn)
    rename = Path.rename

    def fail_second(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(KeyboardInterrupt):
        save(run, overwrite=True)
    assert names(run) == FILES
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_link_to_a_run_is_followed(run: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(run, target_is_directory=True)
    assert store.check_target(link, overwrite=True) == run.resolve()


@pytest.mark.parametrize("name", ["posterior.nc", "spec.toml"])
def test_a_changed_or_missing_file_is_named(run: Path, name: str) -> None:
    with (run / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(RunError, match=f"{name} does not match its digest"):
        store.load(run)
    (run / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        store.load(run)


def test_what_is_not_a_run_cannot_be_loaded(tmp_path: Path, run: Path) -> None:
    with pytest.raises(RunError, match="found none"):
        store.load(tmp_path / "absent")
    with pytest.raises(RunError, match="not a run of lift"):
        store.load(tmp_path)
    recorded = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    recorded["format"] = "lift-run/99"
    (run / "manifest.json").write_text(json.dumps(recorded), encoding="utf-8")
    with pytest.raises(RunError, match="layout lift-run/99"):
        store.load(run)


def test_the_report_can_be_written_again(
    run: Path, effects: Effects, findings: list[Finding]
) -> None:
    before = {name: (run / name).read_bytes() for name in FILES}
    (run / "report.html").unlink()
    (run / "figures" / "curve.svg").write_text("broken", encoding="utf-8")
    path = store.rewrite_report(run, effects, findings)
    assert path == run / "report.html"
    assert {name: (run / name).read_bytes() for name in names(run)} == before
    store.load(run)
