"""The optimisation itself: s seeds trained at once as one stacked model, one epoch at a time, with full saved state.

Every random draw of a member comes from that member's own generator, and no operation mixes members, so member i of a
stack follows the same path as its seed trained alone (up to the rounding of batched matrix products).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import ConfigError
from engine.model import losses
from engine.model.config import TrainConfig
from engine.model.networks import Networks

TERMS = ("reconstruction", "rank", "adversarial", "free_correlation", "mutual_information", "smoothness")
STATISTICS_SAMPLES = 8192


@dataclass
class _Batch:
    """One step's inputs: clean and noisy spectra, labels, prior samples, dropout factors; all with a seed axis."""

    mu: Tensor
    noisy: Tensor
    labels: Tensor
    prior: Tensor
    keep: list[Tensor]


def _random_shorts(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform 16-bit whole numbers from -32768 to 32767, four from each 64 bits drawn."""
    count = math.prod(shape)
    draws = torch.empty(-(-count // 4), dtype=torch.int64, device=generator.device)
    return draws.random_(-(2**63), None, generator=generator).view(torch.int16)[:count].view(shape)


def bootstrap_rows(material_id: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.int64]:
    """As many rows (n,) as there are sites, those of materials drawn with replacement; the last material may be cut."""
    _, group = np.unique(material_id, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], np.arange(group.max() + 2))
    rng = np.random.default_rng(seed)
    rows: list[int] = []
    while len(rows) < len(group):
        one = rng.integers(group.max() + 1)
        rows += order[first[one] : first[one + 1]].tolist()
    return np.array(rows[: len(group)], dtype=np.int64)


class Trainer:
    """Networks, optimisers and generators of s seeds on one training set.

    mu (n, m) float32 and labels (n, d) float32 with NaN for unknown, both on the device to train on. `alive` (s,) tells
    which seeds still train; a seed whose loss stops being finite is left out from then on without touching the others.
    material_id (n,) is needed where ``config.bootstrap`` asks for a draw of materials per seed.
    """

    def __init__(
        self, config: TrainConfig, mu: Tensor, labels: Tensor, material_id: npt.NDArray[np.str_] | None = None
    ) -> None:
        self.config, self.mu, self.labels = config, mu, labels
        device = mu.device
        self.drawn: Tensor | None = None
        if config.bootstrap:
            if material_id is None:
                raise ConfigError("bootstrap draws materials; give the material of every training spectrum")
            drawn = np.stack([bootstrap_rows(material_id, seed) for seed in config.seeds])
            self.drawn = torch.from_numpy(drawn).to(device)
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in config.seeds]
        self.networks = Networks(config, mu.shape[1], self.generators)
        if config.standardise:
            self.networks.standardise(mu)
        self.averaged = copy.deepcopy(self.networks)
        self.alive = np.ones(len(config.seeds), dtype=bool)
        self.rate_scale = torch.ones(len(config.seeds), device=device)
        self.epoch = self.step = 0
        self.n_batches = math.ceil(mu.shape[0] / config.batch_size)
        self.epochs = config.total_epochs(self.n_batches)
        weights = {term: float(getattr(config, f"{term}_weight")) for term in TERMS}
        if not config.descriptors:
            weights["rank"] = weights["mutual_information"] = 0.0
        if not (config.descriptors and config.free_axes):
            weights["free_correlation"] = 0.0
        self.weights = {term: weight for term, weight in weights.items() if weight > 0}
        self.optimisers = self._make_optimisers()

    def _make_optimisers(self) -> dict[str, torch.optim.AdamW]:
        nets = self.networks
        encoder, decoder = list(nets.encoder.parameters()), list(nets.decoder.parameters())
        changed = {
            "reconstruction": encoder + decoder,
            "rank": encoder,
            "adversarial": encoder + list(nets.discriminator.parameters()),
            "free_correlation": encoder,
            "mutual_information": encoder + decoder,
            "smoothness": decoder,
        }
        if not self.config.separate_optimisers:
            changed = {"all": list(nets.parameters())}
        return {
            name: torch.optim.AdamW(parameters, lr=1.0, weight_decay=self.config.weight_decay, fused=True)
            for name, parameters in changed.items()
            if name == "all" or name in self.weights
        }

    def _learning_rate(self) -> float:
        """Rate at this step: a cosine rise over the first fifth and a cosine fall to 0 after; or constant."""
        if self.config.schedule == "plateau":
            return self.config.learning_rate
        progress = self.step / (self.epochs * self.n_batches)
        rise = 0.2
        if progress < rise:
            return self.config.learning_rate * (0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * progress / rise)))
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - rise) / (1 - rise)))

    def _reversal(self) -> float:
        progress = self.epoch / self.epochs
        return self.config.reversal_limit * (2 / (1 + math.exp(-self.config.reversal_steepness * progress)) - 1)

    def _normal(self, *shape: int) -> Tensor:
        return torch.stack([torch.randn(*shape, generator=g, device=g.device) for g in self.generators])

    def _keep(self, n: int) -> list[Tensor]:
        rate = self.config.dropout
        if rate == 0:
            return []
        shape = (self.config.layers - 1, n, self.config.hidden)
        draws = torch.stack([_random_shorts(shape, g) for g in self.generators], dim=1)
        threshold = round(rate * 2**16) - 2**15
        return list((draws >= threshold).to(self.mu.dtype).div_(1 - rate).unbind(0))

    def _mixed(self, mu: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A share of the samples mixed with their neighbour in the batch, spectra and labels in the same proportion.

        A mixture is what a sample with two kinds of sites would measure: absorption and mean descriptors both average.
        """
        n, share = mu.shape[1], self.config.mixture_share
        draws = torch.stack([torch.rand(2, n, 1, generator=g, device=g.device) for g in self.generators])
        weight = torch.where(draws[:, 0] < share, 0.5 * draws[:, 1] ** 3, 0.0)
        mixed = torch.lerp(labels, labels.roll(1, 1), weight)
        return torch.lerp(mu, mu.roll(1, 1), weight), torch.where(weight > 0, mixed, labels)

    def _batch(self, rows: Tensor) -> _Batch:
        mu = self.mu.index_select(0, rows.flatten()).view(*rows.shape, -1)
        labels = self.labels[rows]
        if self.config.mixture_share:
            mu, labels = self._mixed(mu, labels)
        noise = self.config.input_noise
        return _Batch(
            mu=mu,
            noisy=mu + noise * self._normal(*mu.shape[1:]) if noise else mu,
            labels=labels,
            prior=self._normal(max(2, round(self.config.prior_share * mu.shape[1])), self.config.n_latent),
            keep=self._keep(mu.shape[1]),
        )

    def _terms(self, batch: _Batch, wanted: set[str]) -> dict[str, Tensor]:
        """Unweighted loss terms (s,) of those wanted; forward passes that several of them need are made once."""
        config, nets = self.config, self.networks
        d = len(config.descriptors)
        terms: dict[str, Tensor] = {}
        if wanted & {"reconstruction", "rank", "adversarial", "free_correlation"}:
            z = nets.encode(batch.noisy, "batch", batch.keep, follow=True)
            if "reconstruction" in wanted:
                loss = losses.reconstruction_loss
                if config.reconstruction == "scaled":
                    loss = losses.scaled_reconstruction_loss
                terms["reconstruction"] = loss(nets.decode(z, "batch"), batch.mu)
            if "rank" in wanted:
                terms["rank"] = losses.rank_loss(z[..., :d], batch.labels)
            if "free_correlation" in wanted:
                terms["free_correlation"] = losses.free_correlation_loss(z, d)
            if "adversarial" in wanted:
                prior, encoded = self._normal(*z.shape[1:]), losses.reverse_gradient(z, self._reversal())
                both = torch.cat([prior, encoded], dim=1)
                if config.discriminator_noise:
                    both = both + config.discriminator_noise * self._normal(*both.shape[1:])
                score_prior, score_encoded = nets.discriminator(both).chunk(2, dim=1)
                terms["adversarial"] = losses.adversarial_loss(score_prior, score_encoded)
        if wanted & {"mutual_information", "smoothness"}:
            decoded = nets.decode(batch.prior, "batch")
            if "smoothness" in wanted:
                smoothness = losses.blur_loss if config.smoothness == "blur" else losses.curvature_loss
                terms["smoothness"] = smoothness(decoded)
            if "mutual_information" in wanted:
                # With layer normalisation only the latent is normalised over samples: by the statistics of the data.
                mode = "batch" if config.normalisation == "batch" else "stored"
                recovered = nets.encode(decoded, mode)
                terms["mutual_information"] = losses.mutual_information_loss(recovered, batch.prior, d)
        return terms

    def _update(self, optimiser: torch.optim.AdamW, loss: Tensor, rate: float) -> None:
        alive = torch.as_tensor(self.alive, device=loss.device)
        self.networks.zero_grad(set_to_none=True)
        torch.where(alive, loss, 0.0).sum().backward()  # type: ignore[no-untyped-call]
        group = optimiser.param_groups[0]
        group["lr"] = rate
        if bool((self.rate_scale == 1).all()):
            optimiser.step()
            return
        # AdamW's step is linear in the rate, so a lower rate for one seed is a part of the way to the new weights.
        before = [p.detach().clone() for p in group["params"]]
        optimiser.step()
        with torch.no_grad():
            for old, new in zip(before, group["params"], strict=True):
                new.copy_(torch.lerp(old, new, self.rate_scale.view(-1, *[1] * (new.dim() - 1))))

    def _wanted(self) -> set[str]:
        early = self.epoch < self.config.smoothness_share * self.epochs
        return {term for term in self.weights if early or term != "smoothness"}

    def train_epoch(self) -> dict[str, npt.NDArray[np.float64]]:
        """One pass over the training spectra; mean loss terms of this epoch, (s,) each, and their weighted "total"."""
        orders = torch.stack([torch.randperm(self.mu.shape[0], generator=g, device=g.device) for g in self.generators])
        if self.drawn is not None:
            orders = self.drawn.gather(1, orders)
        wanted = self._wanted()
        sums: dict[str, Tensor] = {}
        for rows in orders.tensor_split(self.n_batches, dim=1):
            batch, rate = self._batch(rows), self._learning_rate()
            if self.config.separate_optimisers:
                terms: dict[str, Tensor] = {}
                for name in (term for term in TERMS if term in wanted):
                    terms |= self._terms(batch, {name})
                    self._update(self.optimisers[name], terms[name], rate * self.weights[name])
            else:
                terms = self._terms(batch, wanted)
                total = torch.stack([self.weights[name] * value for name, value in terms.items()]).sum(0)
                self._update(self.optimisers["all"], total, rate)
            self.step += 1
            self._average()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.detach()
        self.epoch += 1
        means = {name: (value / self.n_batches).double().cpu().numpy() for name, value in sums.items()}
        total_mean = np.sum([self.weights[name] * value for name, value in means.items()], axis=0)
        self.alive &= np.isfinite(total_mean)
        return {"total": total_mean, **means}

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.weight_average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.networks.parameters()), 1 - decay)

    @torch.no_grad()
    def model(self) -> Networks:
        """The averaged networks, with normalisation statistics measured on (at most 8192 of) the training spectra."""
        stride = math.ceil(self.mu.shape[0] / STATISTICS_SAMPLES)
        self.averaged.measure(self.mu[::stride].expand(len(self.config.seeds), -1, -1))
        return self.averaged

    def state(self) -> dict[str, Tensor]:
        """All tensors that, with `counters`, define the future of the training."""
        tensors = {f"networks.{k}": v for k, v in self.networks.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for i, slots in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{name}.{i}.{slot}": value for slot, value in slots.items()}
        tensors |= {f"generator.{i}": g.get_state() for i, g in enumerate(self.generators)}
        return tensors | {"rate_scale": self.rate_scale}

    def counters(self) -> dict[str, int | list[bool]]:
        """The plain numbers that belong to `state`."""
        return {"epoch": self.epoch, "step": self.step, "alive": self.alive.tolist()}

    def load(self, tensors: Mapping[str, Tensor], counters: Mapping[str, int | list[bool]]) -> None:
        """Goes back to what `state` and `counters` gave."""
        device = self.mu.device

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.networks.load_state_dict(part("networks."))
        self.averaged.load_state_dict(part("averaged."))
        for name, optimiser in self.optimisers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in part(f"optimiser.{name}.").items():
                index, slot = key.split(".")
                state.setdefault(int(index), {})[slot] = value.clone()
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        for i, generator in enumerate(self.generators):
            generator.set_state(tensors[f"generator.{i}"].cpu())
        self.rate_scale = tensors["rate_scale"].to(device)
        self.epoch, self.step = int(counters["epoch"]), int(counters["step"])  # type: ignore[arg-type]
        self.alive = np.asarray(counters["alive"], dtype=bool)
