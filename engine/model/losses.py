"""Loss terms of RankAAE. Pure functions: tensors with a leading seed axis in, one value per seed (s,) out.

Shapes: s seeds, n samples in the batch, m energies, k latent axes, d constrained axes (the first d of k).
Source: Liang et al., Phys. Rev. Materials 7, 053802 (2023), Eq. 1 and appendix A.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def rank_loss(z: Tensor, p: Tensor) -> Tensor:
    """Rank constraint of Eq. 1 between latent axes ``z`` (s, n, d) and descriptors ``p`` (s, n, d); (s,).

    For one descriptor, with f_ij = (z_i - z_j) sgn(p_i - p_j) over ordered pairs and N_con, N_dis the numbers of pairs
    with f > 0 and f < 0 (N_dis at least 1):

        L = -[ N_dis / max(N_con, N_dis) * sum_{f>0} f + sum_{f<0} f ] / (n (n - 1)),

    averaged over the descriptors. A pair takes part when both labels are known (not NaN), and n counts the known ones;
    a descriptor with fewer than two known labels in the batch contributes 0.

    The pairs are never laid out for the sums. As sgn is antisymmetric, sum f over any symmetric set of pairs is
    2 sum_i z_i r_i with r_i the row sum of sgn(p_i - p_j) over that set, and the row sums follow from ranks: of p, of
    z, and of z among equal p. N_dis is a count of inversions, by merge sort. The cost is O(n log^2 n), not O(n^2).
    Pairs with equal z (which have f = 0) count as concordant in N_con; they do not occur among floats in practice.
    """
    if p.shape[-1] == 0:
        return z.new_zeros(z.shape[0])
    z = z.transpose(1, 2)
    weights = _pair_weights(z.detach(), p.transpose(1, 2))
    return (weights * z).sum(-1).mean(-1)


def _pair_weights(z: Tensor, p: Tensor) -> Tensor:
    """dL/dz (s, d, n) of the rank loss of each descriptor, for z and p (s, d, n)."""
    n = z.shape[-1]
    known = ~torch.isnan(p)
    n_known = known.sum(-1, keepdim=True)
    p = torch.where(known, p, torch.inf)
    by_z = torch.where(known, z, torch.inf).argsort(dim=-1)
    by_p = p.gather(-1, by_z).argsort(dim=-1, stable=True)
    order = by_z.gather(-1, by_p)  # sorted by p, and by z where p is equal; unknown labels last
    place = torch.arange(n, device=z.device).expand_as(order)
    z_rank = torch.empty_like(order).scatter_(-1, by_z, place).gather(-1, order)
    p_sorted = p.gather(-1, order)
    new_group = torch.ones_like(known)
    new_group[..., 1:] = p_sorted[..., 1:] != p_sorted[..., :-1]
    last_of_group = torch.ones_like(known)
    last_of_group[..., :-1] = new_group[..., 1:]
    first = torch.where(new_group, place, 0).cummax(-1).values
    last = torch.where(last_of_group, place, n).flip(-1).cummin(-1).values.flip(-1)
    # Row sums over j of sgn(p_i - p_j), and of sgn(z_i - z_j) where p_i != p_j.
    p_row = first - (n_known - 1 - last)
    z_row = (2 * z_rank - (n_known - 1)) - (2 * place - first - last)
    # Ordered pairs come in twos, so the balance may count unordered ones; one ordered pair is half an unordered one.
    differing = torch.where(place < n_known, first, 0).sum(-1).to(z.dtype)
    inversions = _count_inversions(torch.where(place < n_known, z.gather(-1, order), torch.inf)).to(z.dtype)
    discordant = inversions.clamp_min(0.5)
    concordant = differing - inversions
    balance = (discordant / torch.maximum(concordant, discordant)).unsqueeze(-1)
    rows = -(balance * (p_row + z_row) + (p_row - z_row)) / (n_known * (n_known - 1)).clamp_min(1)
    rows = torch.where(place < n_known, rows, 0.0)
    return torch.empty_like(z).scatter_(-1, order, rows)


def _count_inversions(values: Tensor) -> Tensor:
    """Number of pairs a < b with values[..., a] > values[..., b], along the last axis (bottom-up merge sort)."""
    *batch, n = values.shape
    size = 1 << (n - 1).bit_length()
    runs = functional.pad(values, (0, size - n), value=torch.inf)
    count = torch.zeros(batch, dtype=torch.long, device=values.device)
    width = 1
    while width < size:
        runs, order = runs.view(*batch, -1, 2 * width).sort(dim=-1, stable=True)
        left = order < width
        count += torch.where(left, 0, width - left.cumsum(-1)).sum((-1, -2))
        width *= 2
    return count


def reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of spectra (s, n, m); (s,)."""
    return (decoded - target).square().mean((1, 2))


def scaled_reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """Published variant: each target is first scaled by mean(decoded) / mean(target), within 0.7 ... 1.3; (s,).

    The scale is held constant in the gradient of the first term and pulled towards 1 by 0.1 mean((scale - 1)^2).
    """
    scale = decoded.mean(-1, keepdim=True) / target.mean(-1, keepdim=True)
    clamped = scale.detach().clamp(0.7, 1.3)
    return reconstruction_loss(decoded, target * clamped) + 0.1 * (scale - 1).square().mean((1, 2))


def mutual_information_loss(recovered: Tensor, prior: Tensor, n_constrained: int) -> Tensor:
    """Mean squared error of prior samples (s, n, k) recovered by decoding and encoding, constrained axes only; (s,)."""
    if n_constrained == 0:
        return prior.new_zeros(prior.shape[0])
    return (recovered - prior)[..., :n_constrained].square().mean((1, 2))


def free_correlation_loss(z: Tensor, n_constrained: int) -> Tensor:
    """Sum of squared Pearson correlations of free with constrained axes of encoded spectra (s, n, k); (s,)."""
    centred = z - z.mean(1, keepdim=True)
    unit = centred / centred.square().sum(1, keepdim=True).clamp_min(1e-12).sqrt()
    constrained, free = unit[..., :n_constrained], unit[..., n_constrained:]
    return (constrained.transpose(1, 2) @ free).square().sum((1, 2))


def curvature_loss(decoded: Tensor) -> Tensor:
    """Mean squared second difference of spectra (s, n, m) along energy, in units of (0.1 per point^2)^2; (s,)."""
    second = decoded[..., 2:] - 2 * decoded[..., 1:-1] + decoded[..., :-2]
    return 100 * second.square().mean((1, 2))


def blur_loss(decoded: Tensor, kernel_points: int = 17, sigma_points: float = 3.0) -> Tensor:
    """Published smoothness: mean squared difference between spectra (s, n, m) and their Gaussian-blurred copy; (s,).

    The blurred copy is held constant; the ends are continued by their outermost values.
    """
    half, points = kernel_points // 2, decoded.shape[-1]
    offsets = torch.arange(-half, half + 1, device=decoded.device)
    kernel = torch.softmax(-0.5 * (offsets / sigma_points).square(), 0).to(decoded.dtype)
    target = torch.arange(points, device=decoded.device)
    source = (target[:, None] + offsets).clamp(0, points - 1)
    blur = decoded.new_zeros(points, points).index_put_((source, target[:, None]), kernel, accumulate=True)
    return (decoded - decoded.detach() @ blur).square().mean((1, 2))


def adversarial_loss(score_prior: Tensor, score_encoded: Tensor) -> Tensor:
    """Binary cross-entropy of discriminator scores (s, n, 1): prior samples are 1, encoded spectra 0; (s,)."""
    real = functional.softplus(-score_prior).mean((1, 2))
    fake = functional.softplus(score_encoded).mean((1, 2))
    return 0.5 * (real + fake)


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, factor: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        return -ctx.factor * gradient, None


def reverse_gradient(x: Tensor, factor: float) -> Tensor:
    """Identity whose gradient is multiplied by ``-factor`` (Ganin & Lempitsky 2015)."""
    out: Tensor = _ReverseGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return out
