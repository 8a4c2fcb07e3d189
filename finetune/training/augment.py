"""Random augmentation of batches of faces, with torch on any device: camera, light, pose, detector."""

import math

import torch
import torch.nn.functional as F


def augment(faces: torch.Tensor, generator: torch.Generator, share: float = 1.0) -> torch.Tensor:
    """A batch of faces (N x 1 x S x S float, 0 to 1; N x 3 x S x S in colour), augmented one by one.

    Mirroring, rotation (20 degrees), shift, zoom (20%), blur, low resolution (down to 20 px), brightness,
    contrast, gamma, noise, occlusion; for colour also tint. Applies to the first `share` of the batch; the
    rest are only mirrored.
    """
    count = round(share * len(faces))
    if count == 0:
        return _mirrored(faces, generator)
    altered = _moved(faces[:count], generator)
    altered = _blurred(altered, generator)
    altered = _lit(altered, generator)
    if faces.shape[1] == 3:
        altered = (altered * _uniform((count, 3, 1, 1), 0.7, 1.15, faces, generator)).clamp(0, 1)
    altered = _hidden(altered, generator)
    return torch.cat([altered, _mirrored(faces[count:], generator)])


def mixed(
    faces: torch.Tensor, goals: torch.Tensor, alpha: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixup (Zhang et al. 2018, arXiv:1710.09412) of faces and targets (N x ...) within a batch.

    One proportion for the batch is drawn from Beta(alpha, alpha); alpha 0 disables it.
    """
    if alpha == 0:
        return faces, goals
    # torch.distributions.Beta takes no generator.
    where = {"generator": generator, "device": faces.device}
    order = torch.randperm(len(faces), **where)
    parts = torch._standard_gamma(torch.full((2,), alpha, device=faces.device), generator=generator)
    share = parts.max() / parts.sum()
    return share * faces + (1 - share) * faces[order], share * goals + (1 - share) * goals[order]


def _uniform(shape: tuple[int, ...], low: float, high: float, like: torch.Tensor, g: torch.Generator):
    return torch.rand(shape, generator=g, device=like.device) * (high - low) + low


def _mirrored(faces: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    chosen = torch.rand(len(faces), generator=g, device=faces.device) < 0.5
    return torch.where(chosen[:, None, None, None], faces.flip(3), faces)


def _moved(faces: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    n = len(faces)
    angle = torch.randn(n, generator=g, device=faces.device).clamp(-2, 2) * math.radians(10)
    zoom = torch.exp(_uniform((n,), -0.2, 0.2, faces, g))
    mirror = (torch.rand(n, generator=g, device=faces.device) < 0.5).float() * -2 + 1
    shift = _uniform((n, 2), -0.14, 0.14, faces, g)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    matrix = torch.stack(
        [torch.stack([cos * mirror, -sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)],
        1,
    )
    grid = F.affine_grid(matrix, list(faces.shape), align_corners=False)
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _blurred(faces: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Blurs a fifth, and downscales another fifth; each group shares its parameters."""
    n, side = len(faces), faces.shape[-1]
    fifth = n // 5
    order = torch.randperm(n, generator=g, device=faces.device)
    far, soft = order[:fifth], order[fifth : 2 * fifth]
    if fifth == 0:
        return faces
    faces = faces.clone()
    small = int(torch.randint(20, max(21, side * 3 // 4), (1,), generator=g, device=faces.device))
    shrunk = F.interpolate(faces[far], size=(small, small), mode="bilinear", antialias=True)
    faces[far] = F.interpolate(shrunk, size=(side, side), mode="bilinear")
    sigma = float(_uniform((1,), 0.5, 2.0, faces, g)) * side / 48
    reach = max(1, math.ceil(2 * sigma))
    line = torch.exp(-(torch.arange(-reach, reach + 1, device=faces.device) ** 2) / (2 * sigma**2))
    line = (line / line.sum()).to(faces.dtype)
    channels = faces[soft].reshape(-1, 1, side, side)
    padded = F.pad(channels, (reach,) * 4, mode="replicate")
    channels = F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
    faces[soft] = channels.reshape(faces[soft].shape)
    return faces


def _lit(faces: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    shape = (len(faces), 1, 1, 1)
    contrast = _uniform(shape, 0.55, 1.35, faces, g)
    light = _uniform(shape, -0.2, 0.2, faces, g)
    gamma = torch.exp(_uniform(shape, -0.4, 0.4, faces, g))
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    lit = ((faces - mean) * contrast + mean + light).clamp(1e-4, 1) ** gamma
    # light from one side
    ramp = torch.linspace(-1, 1, faces.shape[-1], device=faces.device).view(1, 1, 1, -1)
    lit = lit * (1 + ramp * _uniform(shape, -0.35, 0.35, faces, g))
    noise = torch.randn(faces.shape, generator=g, device=faces.device)
    return (lit + noise * _uniform(shape, 0, 0.04, faces, g)).clamp(0, 1)


def _hidden(faces: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Occludes a third with a grey rectangle of up to a third of the sides."""
    n, side = len(faces), faces.shape[-1]
    size = _uniform((n, 2), 0.1, 0.35, faces, g) * side
    corner = _uniform((n, 2), 0, 0.85, faces, g) * side
    chosen = torch.rand((n, 1, 1), generator=g, device=faces.device) < 0.33
    places = torch.arange(side, device=faces.device)
    rows = (places >= corner[:, :1]) & (places < corner[:, :1] + size[:, :1])
    columns = (places >= corner[:, 1:]) & (places < corner[:, 1:] + size[:, 1:])
    mask = (rows[:, :, None] & columns[:, None, :] & chosen)[:, None]
    return torch.where(mask, _uniform((n, 1, 1, 1), 0, 1, faces, g), faces)
