"""Encoder, decoder and discriminator for s seeds at once: every weight carries a leading seed axis.

Shapes: s seeds, n samples, m energies, k latent axes. Source: Liang et al., Phys. Rev. Materials 7, 053802 (2023),
appendix A.1 (fully connected layers, Gaussian prior, discriminator on the latent, Softplus on the decoder).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.model.config import TrainConfig

Generators = Sequence[torch.Generator]
MIN_STD = 1e-6
FLOOR = 0.01
DIFFERENCE_FLOOR = 0.002


class StackedLinear(nn.Module):
    """s independent affine maps (s, n, inputs) -> (s, n, outputs), each initialised by its own generator."""

    def __init__(self, inputs: int, outputs: int, generators: Generators) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)

        def uniform(*shape: int) -> nn.Parameter:
            draws = [torch.rand(*shape, generator=g, device=g.device) for g in generators]
            return nn.Parameter((torch.stack(draws) * 2 - 1) * bound)

        self.weight = uniform(inputs, outputs)
        self.bias = uniform(1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class StackedPReLU(nn.Module):
    """max(x, 0) + a min(x, 0) with one learned slope a per seed."""

    def __init__(self, seeds: int, device: torch.device) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((seeds,), 0.25, device=device))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = functional.prelu(x[None], self.slope)[0]
        return out


class StackedLayerNorm(nn.Module):
    """Normalises every sample over its features, with a learned scale and offset per seed."""

    def __init__(self, features: int, seeds: int, device: torch.device) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(seeds, 1, features, device=device))
        self.offset = nn.Parameter(torch.zeros(seeds, 1, features, device=device))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.offset, functional.layer_norm(x, x.shape[-1:]), self.scale)


class StackedBatchNorm(nn.Module):
    """Normalises every feature over samples, without learned scale (as in the published networks).

    In `"batch"` mode it uses the statistics of the samples at hand, in `"stored"` mode the stored ones, and in
    `"measure"` mode it first stores those of the samples at hand. A running mean over data, prior samples and decoded
    samples would fit none of the three, so it is measured on training spectra alone before a model is used.
    """

    def __init__(self, features: int, seeds: int, device: torch.device) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(seeds, 1, features, device=device))
        self.register_buffer("std", torch.ones(seeds, 1, features, device=device))

    def forward(self, x: Tensor, mode: str) -> Tensor:
        if mode == "stored":
            return (x - self.mean) / self.std
        mean = x.mean(dim=1, keepdim=True)
        centred = x - mean
        std = centred.square().mean(dim=1, keepdim=True).clamp_min(MIN_STD**2).sqrt()
        if mode == "measure":
            self.mean.copy_(mean)
            self.std.copy_(std)
        return centred / std

    @torch.no_grad()
    def follow(self, x: Tensor, momentum: float = 0.05) -> None:
        """Moves the stored statistics a little towards those of ``x`` (s, n, features)."""
        self.mean.lerp_(x.mean(dim=1, keepdim=True), momentum)
        self.std.lerp_(x.std(dim=1, keepdim=True, correction=0).clamp_min(MIN_STD), momentum)


class Stack(nn.Module):
    """Fully connected layers with normalisation and activation after each but the last."""

    def __init__(self, sizes: Sequence[int], activation: str, normalisation: str, generators: Generators) -> None:
        super().__init__()
        seeds, device = len(generators), generators[0].device
        self.linears = nn.ModuleList(StackedLinear(a, b, generators) for a, b in itertools.pairwise(sizes))
        self.activations = nn.ModuleList(
            StackedPReLU(seeds, device) if activation == "prelu" else nn.SiLU() for _ in sizes[1:-1]
        )
        norm = {"layer": StackedLayerNorm, "batch": StackedBatchNorm}.get(normalisation)
        self.norms = nn.ModuleList(norm(width, seeds, device) for width in sizes[1:-1]) if norm else None

    def forward(self, x: Tensor, mode: str = "batch", keep: Sequence[Tensor] = ()) -> Tensor:
        """Output (s, n, sizes[-1]); ``keep`` holds a dropout factor (s, n, width) per hidden layer, or nothing."""
        for i, (linear, activation) in enumerate(zip(self.linears[:-1], self.activations, strict=True)):
            x = linear(x)
            norm = self.norms[i] if self.norms is not None else None
            if isinstance(norm, StackedBatchNorm):
                x = norm(activation(x), mode)
            else:
                x = activation(norm(x) if norm is not None else x)
            if keep:
                x = x * keep[i]
        out: Tensor = self.linears[-1](x)
        return out


class Networks(nn.Module):
    """The encoder, decoder and discriminator of s seeds."""

    def __init__(self, config: TrainConfig, n_energies: int, generators: Generators) -> None:
        super().__init__()
        seeds, device = len(generators), generators[0].device
        hidden = [config.hidden] * (config.layers - 1)
        judge = [config.discriminator_hidden] * (config.discriminator_layers - 1)
        k = config.n_latent
        self.derivative = config.input_derivative
        n_inputs = 2 * n_energies - 2 if self.derivative else n_energies
        self.encoder = Stack([n_inputs, *hidden, k], config.activation, config.normalisation, generators)
        self.latent_norm = StackedBatchNorm(k, seeds, device)
        self.decoder = Stack([k, *hidden, n_energies], config.activation, config.normalisation, generators)
        self.discriminator = Stack([k, *judge, 1], config.activation, "none", generators)
        self.softplus_beta = config.softplus_beta
        self.input_mean: Tensor
        self.input_scale: Tensor
        self.output_offset: Tensor
        self.output_scale: Tensor
        self.register_buffer("input_mean", torch.zeros(seeds, 1, n_inputs, device=device))
        self.register_buffer("input_scale", torch.ones(seeds, 1, n_inputs, device=device))
        self.register_buffer("output_offset", torch.zeros(seeds, 1, n_energies, device=device))
        self.register_buffer("output_scale", torch.ones(seeds, 1, n_energies, device=device))

    def _inputs(self, mu: Tensor) -> Tensor:
        """What the first layer is given before scaling: mu and, if so set, its central differences per point."""
        if not self.derivative:
            return mu
        return torch.cat([mu, (mu[..., 2:] - mu[..., :-2]) / 2], dim=-1)

    @torch.no_grad()
    def standardise(self, mu: Tensor) -> None:
        """Centres and scales inputs per energy by training spectra ``mu`` (n, m), and the output likewise.

        Spreads below a floor (0.01 for mu, 0.002 per point for its differences) are not blown up to unit size. The
        last layer's output is scaled by the spread and offset by what Softplus maps to the mean spectrum.
        """
        inputs, m, beta = self._inputs(mu), mu.shape[1], self.softplus_beta
        floor = torch.full_like(inputs[0], FLOOR)
        floor[m:] = DIFFERENCE_FLOOR
        self.input_mean.copy_(inputs.mean(0))
        self.input_scale.copy_((inputs.var(0, correction=0) + floor.square()).sqrt())
        self.output_offset.copy_(torch.log(torch.expm1(beta * mu.mean(0).clamp(1e-4, 50 / beta))) / beta)
        self.output_scale.copy_(mu.std(0, correction=0))

    def encode(self, mu: Tensor, mode: str = "stored", keep: Sequence[Tensor] = (), *, follow: bool = False) -> Tensor:
        """Latent points (s, n, k) of spectra (s, n, m); ``follow`` lets the stored latent statistics follow these."""
        raw = self.encoder((self._inputs(mu) - self.input_mean) / self.input_scale, mode, keep)
        if follow:
            self.latent_norm.follow(raw.detach())
        out: Tensor = self.latent_norm(raw, mode)
        return out

    def decode(self, z: Tensor, mode: str = "stored") -> Tensor:
        """Spectra (s, n, m) of latent points (s, n, k), positive."""
        raw = torch.addcmul(self.output_offset, self.decoder(z, mode), self.output_scale)
        return functional.softplus(raw, beta=self.softplus_beta)

    @torch.no_grad()
    def measure(self, mu: Tensor) -> Tensor:
        """Stores every normalisation statistic as found on spectra ``mu`` (s, n, m); their latent points (s, n, k)."""
        z = self.encode(mu, "measure")
        self.decode(z, "measure")
        return z
