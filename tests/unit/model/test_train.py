"""Run folders: finished, cancelled, killed and resumed, refused and damaged ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import Cancelled, ConfigError, DataError, RunError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.latent_model import load_member, load_members, traverse_axis
from engine.model.report import score_run
from engine.model.run import Run
from engine.model.training import train
from engine.spectra import SpectraSet
from tests.synthetic import make_set

TINY = {
    "hidden": 16,
    "layers": 3,
    "epochs": 6,
    "batch_size": 40,
    "discriminator_hidden": 8,
    "validate_every": 2,
    "seeds": (0, 1),
    "descriptors": ("OS", "CN", "WAVE"),
}


def saved(tmp_path: Path, spectra: SpectraSet) -> Path:
    path = tmp_path / "set.parquet"
    write_set(spectra, path)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("finished")
    spectra = make_set(300)
    config = make_config("default", **{**TINY, "epochs": 40})
    return train(spectra, saved(folder, spectra), config, folder / "run")


def test_finished_run_has_scores_weights_history_and_events(finished: Run) -> None:
    table = finished.scores()
    assert table["seed"].tolist() == [0, 1]
    assert (table["WAVE srcc"] > 0.5).all()
    assert (table["CN srcc"] > 0.5).all()
    history = finished.history()
    assert history["epoch"].max() == 40
    assert set(history["seed"]) == {0, 1}
    events = list(finished.events())
    assert events[0]["event"] == "start"
    assert events[-1]["status"] == "done"
    assert not (finished.path / "checkpoint.safetensors").exists()


def test_members_encode_and_decode(finished: Run) -> None:
    spectra = finished.spectra()
    for member in load_members(finished):
        z = member.encode(spectra.mu)
        assert z.shape == (300, 4)
        assert member.decode(z).shape == spectra.mu.shape
        test = member.encode(spectra.mu[finished.split().test])
        np.testing.assert_allclose(member.latent_percentiles[50], np.median(test, axis=0), atol=1e-5)


def test_score_json_has_the_documented_shape(finished: Run) -> None:
    result = json.loads(json.dumps(score_run(finished), allow_nan=False))
    assert set(result) == {"selected", "split", "n_test", "members", "spectral_correlation", "baselines"}
    assert result["split"] == "material"
    assert result["n_test"] == finished.split().test.size
    member = result["members"][result["selected"]]
    expected = {"seed", "reconstruction_rmse", "reconstruction_mae", "descriptors", "axis_correlation_max"}
    expected |= {"free_axis_correlation_max", "normality", "selection_score"}
    assert expected <= set(member)
    assert member["descriptors"]["CN"]["f1"] > 0.4
    assert member["descriptors"]["WAVE"]["f1"] is None
    assert result["baselines"]["extra_trees"]["CN"]["srcc"] > 0.8
    assert result["baselines"]["pca"]["reconstruction_rmse"] < 0.05
    assert abs(result["spectral_correlation"]["OS"]["E_edge"]) > 0.7
    assert set(result["spectral_correlation"]) == {"OS", "CN", "WAVE", "free 1"}
    best = max(result["members"], key=lambda m: m["selection_score"])
    assert best == member
    assert score_run(finished)["baselines"] == result["baselines"]


def test_scores_on_the_own_test_sites_as_another_set_are_the_same(finished: Run) -> None:
    own = score_run(finished, baselines=False)
    other = finished.spectra().take(finished.split().test)
    again = score_run(finished, other, baselines=False)
    assert [m["descriptors"] for m in again["members"]] == [m["descriptors"] for m in own["members"]]
    assert again["n_test"] == own["n_test"]


def test_scoring_on_a_finer_grid_resamples_and_on_a_shorter_one_refuses(finished: Run) -> None:
    spectra = finished.spectra()
    fine = np.linspace(spectra.energy_ev[0] - 1, spectra.energy_ev[-1] + 1, 400)
    dense = replace(spectra, energy_ev=fine, mu=np.vstack([np.interp(fine, spectra.energy_ev, y) for y in spectra.mu]))
    assert score_run(finished, dense, baselines=False)["members"][0]["reconstruction_rmse"] < 0.2
    short = replace(spectra, energy_ev=spectra.energy_ev[5:], mu=spectra.mu[:, 5:])
    with pytest.raises(Exception, match="does not cover"):
        score_run(finished, short)


def test_traversal_of_a_member(finished: Run) -> None:
    member = load_member(finished)
    traversal = traverse_axis(member, "CN", levels=5, samples=200)
    assert traversal.mu.shape == (5, 48)
    assert traversal.level[0] == pytest.approx(member.percentile("CN", 5))
    with pytest.raises(DataError, match="axis 'XX' is not in the model"):
        traverse_axis(member, "XX")


def test_stop_file_cancels_within_an_epoch_and_resume_reaches_the_same_scores(tmp_path: Path) -> None:
    spectra = make_set(150)
    path, config = saved(tmp_path, spectra), make_config("default", **TINY)
    straight = train(spectra, path, config, tmp_path / "straight")
    run = Run(tmp_path / "stopped")
    seen: list[int] = []

    def stop_after_three(event) -> None:
        if event["event"] == "epoch":
            seen.append(event["epoch"])
            if event["epoch"] == 3:
                run.stop_file.touch()

    with pytest.raises(Cancelled, match="stopped after epoch 3"):
        train(spectra, path, config, run.path, on_event=stop_after_three)
    assert seen == [1, 2, 3]
    assert not run.stop_file.exists()
    assert list(run.events())[-1]["status"] == "cancelled"
    assert not run.finished
    train(spectra, path, config, run.path, resume=True)
    pd.testing.assert_frame_equal(run.scores(), straight.scores())
    pd.testing.assert_frame_equal(run.history(), straight.history())


def test_killed_training_resumes_to_the_uninterrupted_scores(tmp_path: Path) -> None:
    spectra = make_set(150)
    path = saved(tmp_path, spectra)
    settings = [f"--set={name}={value}" for name, value in TINY.items() if name not in ("seeds", "descriptors")]
    settings[settings.index("--set=epochs=6")] = "--set=epochs=60"
    command = [sys.executable, "-m", "engine.cli", "train", str(path), "--descriptors", "OS,CN,WAVE", "--seeds", "2"]
    command += [*settings, "--threads", "1"]
    subprocess.run([*command, "--out", str(tmp_path / "straight")], check=True, capture_output=True)
    program = (
        "import sys, engine.model.training as t; t.CHECKPOINT_SECONDS = 0.0; "
        "from engine.cli import main; sys.argv = ['rankaae', *sys.argv[1:]]; main()"
    )
    killed = Run(tmp_path / "killed")
    process = subprocess.Popen([sys.executable, "-c", program, *command[3:], "--out", str(killed.path)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(e.get("epoch", 0) >= 20 for e in killed.events()):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.finished
    subprocess.run([*command, "--out", str(killed.path), "--resume"], check=True, capture_output=True)
    resumed_at = [e["epoch"] for e in killed.events() if e["event"] == "start"]
    assert resumed_at[0] == 0
    assert resumed_at[1] > 0
    pd.testing.assert_frame_equal(killed.scores(), Run(tmp_path / "straight").scores(), rtol=1e-6)


def test_resume_with_other_settings_or_spectra_is_refused(tmp_path: Path, finished: Run) -> None:
    config = finished.config()
    with pytest.raises(ConfigError, match="was started with epochs = 40"):
        train(finished.spectra(), tmp_path / "x", replace(config, epochs=41), finished.path, resume=True)
    with pytest.raises(RunError, match="was started on other spectra"):
        train(make_set(301), tmp_path / "x", config, finished.path, resume=True)


def test_resume_of_a_folder_in_which_nothing_was_started_starts(tmp_path: Path) -> None:
    spectra, run = make_set(90), Run(tmp_path / "run")
    run.path.mkdir()
    (run.path / "data.json").write_text("{}")
    train(spectra, saved(tmp_path, spectra), make_config("default", **TINY), run.path, resume=True)
    assert run.finished


def test_weights_of_another_version_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_arrays("weights.safetensors", {"a": np.ones(2)}, {"version": 99})
    with pytest.raises(RunError, match="has format version 99"):
        run.read_arrays("weights.safetensors")


def test_used_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="already holds something"):
        train(make_set(90), tmp_path / "x", make_config("default", **TINY), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.descriptors.assign(CN=np.nan), "descriptor CN is unknown .* for every site"),
        (lambda s: s.descriptors.assign(CN=4.0), "descriptor CN is 4 for every training site"),
    ],
)
def test_descriptor_without_order_is_refused(tmp_path: Path, change, message: str) -> None:
    spectra = make_set(90)
    spectra = replace(spectra, descriptors=change(spectra))
    with pytest.raises(ConfigError, match=message):
        train(spectra, tmp_path / "x", make_config("default", **TINY), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_three_spectra_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"3 spectra of 3 materials leave a part of the split .* empty"):
        train(make_set(3, per_material=1), tmp_path / "x", make_config("default", **TINY), tmp_path / "run")


def test_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(RunError, match="cannot be made"):
        train(make_set(90), tmp_path / "x", make_config("default", **TINY), blocker / "run")


def test_full_disk_ends_with_a_run_error_and_keeps_what_was_there(tmp_path: Path, monkeypatch) -> None:
    spectra, config = make_set(90), make_config("default", **TINY)
    path = saved(tmp_path, spectra)
    original = Run.write_arrays

    def full(self, name, arrays, metadata):
        if name.startswith("weights"):
            raise RunError(f"{self.path / name}: cannot be written (No space left on device)")
        return original(self, name, arrays, metadata)

    monkeypatch.setattr(Run, "write_arrays", full)
    with pytest.raises(RunError, match="No space left on device"):
        train(spectra, path, config, tmp_path / "run")
    run = Run(tmp_path / "run")
    assert list(run.events())[-1]["status"] == "failed"
    assert not run.finished
    monkeypatch.undo()
    train(spectra, path, config, tmp_path / "run", resume=True)
    assert run.finished


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_under_the_event_log(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"events\.jsonl: cannot be written \(No space left on device\)"):
        run.append_event({"event": "start"})


def test_nan_labels_take_part_where_known(tmp_path: Path) -> None:
    spectra = make_set(200)
    labels = spectra.descriptors.copy()
    labels.loc[::3, "OS"] = np.nan
    spectra = replace(spectra, descriptors=labels)
    run = train(spectra, saved(tmp_path, spectra), make_config("default", **{**TINY, "epochs": 30}), tmp_path / "run")
    assert run.scores()["OS srcc"].notna().all()


def test_no_descriptors_trains_a_free_latent_space(tmp_path: Path) -> None:
    spectra = make_set(150)
    config = make_config("default", **{**TINY, "descriptors": (), "free_axes": 3, "epochs": 20})
    run = train(spectra, saved(tmp_path, spectra), config, tmp_path / "run")
    result = score_run(run)
    assert result["members"][0]["descriptors"] == {}
    assert result["baselines"]["pca"]["n_components"] == 3


def test_autoencoder_preset_reconstructs_without_ranks(tmp_path: Path) -> None:
    spectra = make_set(150)
    run = train(spectra, saved(tmp_path, spectra), make_config("autoencoder", **TINY), tmp_path / "run")
    assert {"loss reconstruction", "loss total"} <= set(run.history().columns)
    assert "loss rank" not in run.history().columns


def test_damaged_weights_are_a_run_error(tmp_path: Path, finished: Run) -> None:
    import shutil

    copy = Run(tmp_path / "copy")
    shutil.copytree(finished.path, copy.path)
    data = (copy.path / "weights.safetensors").read_bytes()
    (copy.path / "weights.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(RunError, match=r"weights\.safetensors: cannot be read"):
        load_members(copy)


def test_changed_training_set_is_noticed(tmp_path: Path) -> None:
    spectra = make_set(150)
    path = saved(tmp_path, spectra)
    run = train(spectra, path, make_config("default", **TINY), tmp_path / "run")
    write_set(make_set(150, seed=1), path)
    with pytest.raises(RunError, match="changed since the run"):
        score_run(run)
    path.unlink()
    with pytest.raises(RunError, match="is gone"):
        score_run(run)
