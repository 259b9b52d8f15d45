"""What the page shows: one object that every view reads and changes, and nothing else does."""

from __future__ import annotations

from typing import Any

import param

from engine.model.run import Run
from explorer.jobs import Job, JobStore, Status


class ExplorerState(param.Parameterized):
    """The choices of one session, and what its jobs were found to be doing.

    What a link, a session file and undo have to restore stands in ``explorer.restoring``; the rest follows.
    """

    dataset = param.String(default="", doc="Id of the set that is open; empty for none.")
    run = param.String(default="", doc="Id of the finished run whose model is looked at; empty for none.")
    member = param.Integer(default=0, bounds=(0, None), doc="Member of that run: its row in the scores.")
    latent = param.List(default=[], item_type=float, doc="Latent point that is decoded, one number per axis.")
    descriptors = param.List(default=[], item_type=str, doc="Descriptor set that the next training takes.")
    selected = param.List(default=[], item_type=str, doc="Site ids of selection A in the open set; empty for none.")
    compared = param.List(default=[], item_type=str, doc="Site ids of selection B in the open set; empty for none.")
    columns = param.List(
        default=[], item_type=str, doc="Members under Compare, each as run/member, as far as they were chosen."
    )
    map = param.String(default="", doc="Id of the map under Atlas that was chosen; empty for none.")
    colour = param.String(default="", doc="What its sites are to be coloured by; empty for what suits the map.")
    experiment = param.Dict(
        default={}, doc="What was opened and chosen under Experiment, as the JSON of an ``explorer.kept.Experiment``."
    )
    site = param.String(default="", doc="Site id that the Context shows with its cluster and labels; empty for none.")
    shown = param.List(
        default=["model"], item_type=str, doc="What plots overlay: of 'model', 'selected', 'compared', 'measured'."
    )
    measured = param.Parameter(default=None, doc="The measured spectrum that is looked at (a Chosen), or None.")

    spectra = param.Parameter(default=None, doc="The open SpectraSet, or None.")
    sets = param.Dict(default={}, doc="Title by id of every set: the workspace's, newest first, and the embedded ones.")
    runs = param.Dict(default={}, doc="Title by id of every model to look at, in the same order.")
    maps = param.Dict(default={}, doc="Title by id of every map to look at, in the same order.")
    jobs = param.Dict(default={}, doc="(Job, Status) by id of every job in the workspace, newest first.")

    def look(self, store: JobStore) -> dict[str, tuple[Status, Status]]:
        """Takes in what the workspace holds now; returns (before, now) of every job whose state has changed."""
        before: dict[str, tuple[Job, Status]] = self.jobs
        now = {job.id: (job, store.status(job)) for job in store.jobs()}
        changed = {
            job_id: (before[job_id][1], status)
            for job_id, (_, status) in now.items()
            if job_id in before and before[job_id][1].state != status.state
        }
        library = store.library
        sets = {set_id: now[set_id][0].title if set_id in now else set_id for set_id in store.workspace.set_ids()}
        sets |= library.embedded_sets()
        changes: dict[str, Any] = {}
        if list(sets.items()) != list(self.sets.items()):
            changes["sets"] = sets
        if list(now.items()) != list(before.items()):
            changes["jobs"] = now
        if "jobs" in changes or not self.runs:
            changes["runs"] = _finished(store, now) | library.embedded_models()
        maps = {map_id: now[map_id][0].title if map_id in now else map_id for map_id in store.workspace.map_ids()}
        maps |= library.embedded_maps()
        if list(maps.items()) != list(self.maps.items()):
            changes["maps"] = maps
        self.param.update(**changes)
        return changed

    def queue(self) -> list[Job]:
        """The trainings that wait for their turn, in the order in which they will begin."""
        waiting = [job for job, status in self.jobs.values() if status.state == "queued"]
        return sorted(waiting, key=lambda job: job.started)

    def trainings(self) -> list[tuple[Job, Status]]:
        """Every training, newest first."""
        return [(job, status) for job, status in self.jobs.values() if job.kind == "train"]


def _finished(store: JobStore, jobs: dict[str, tuple[Job, Status]]) -> dict[str, str]:
    """Title by id of every training of the workspace that has left a model, newest first."""
    return {
        job.id: job.title
        for job, status in jobs.values()
        if job.kind == "train" and status.state == "done" and Run(store.workspace.run_path(job.id)).finished
    }
