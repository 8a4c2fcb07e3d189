"""Networks of earlier runs, whose answers are another network's targets."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from finetune.embedded.architectures import build
from finetune.embedded.finishing import OUTPUTS
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError

CHECKPOINT = "checkpoint.pt"


class Teachers:
    """Networks with two heads (the votes', the label's), each the averaged weights of a run of `pretrain`."""

    def __init__(self, folders: Sequence[Path], device: torch.device) -> None:
        """Load each folder's checkpoint. Raises VibeCheckError, naming the folder without one."""
        self.names = [folder.name for folder in folders]
        self.networks = [_network(folder, device) for folder in folders]

    @torch.no_grad()
    def answers(self, inputs: torch.Tensor) -> torch.Tensor:
        """The mean of their probabilities (N x 2 x 7) for normalised pictures (N x 3 x S x S)."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            logits = torch.stack([network(pixel_values=inputs).logits for network in self.networks])
        return logits.float().unflatten(2, (2, len(NAMES))).softmax(3).mean(0)


def _network(folder: Path, device: torch.device) -> nn.Module:
    try:
        state = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise VibeCheckError(
            f"{folder} has no {CHECKPOINT}. Name the --out of a finished pretrain run with --teacher."
        ) from error
    about, (_, average, *_) = state["about"], state["parts"]
    network = build(about["architecture"], OUTPUTS)
    del average["n_averaged"]
    network.load_state_dict({name.removeprefix("module."): weight for name, weight in average.items()})
    return network.eval().to(device).to(memory_format=torch.channels_last)
