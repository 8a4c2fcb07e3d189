"""A finished model whose training goes on."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from transformers import PreTrainedModel

from finetune.embedded.architectures import build
from finetune.embedded.ferplus import Faces
from finetune.embedded.finishing import OUTPUTS, logits_of, pictures_of
from finetune.embedded.recipe import PretrainRecipe
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.export.torch_model import last_layer, open_folder
from vibecheck.vision.manifest import Manifest


class StartingModel:
    """A model with one head, from a folder that `finish` wrote."""

    def __init__(
        self, folder: Path, model: PreTrainedModel, manifest: Manifest, recipe: PretrainRecipe
    ) -> None:
        self.folder, self._model, self._manifest, self._recipe = folder, model, manifest, recipe

    @classmethod
    def load(cls, folder: Path, recipe: PretrainRecipe, device: torch.device | str = "cpu") -> Self:
        """Raises ModelError if it cannot be opened, VibeCheckError if it does not fit the recipe."""
        manifest = Manifest.read(folder)
        opened, side = open_folder(folder, manifest)
        expected = build(recipe.architecture, recipe.side, list(NAMES)).state_dict()
        shapes = {name: weight.shape for name, weight in opened.model.state_dict().items()}
        if side != recipe.side or shapes != {name: weight.shape for name, weight in expected.items()}:
            raise VibeCheckError(
                f"{manifest.version} is not a {recipe.architecture} for {recipe.side} px. "
                "Name its --architecture and --side."
            )
        return cls(folder, opened.model.to(device), manifest, recipe)

    @property
    def version(self) -> str:
        return self._manifest.version

    def answers(self, faces: Faces) -> np.ndarray:
        """Its calibrated probabilities (N x 7), not corrected for the class prior."""
        logits = logits_of(self._model, pictures_of(faces), self._recipe.side, self._manifest.mirrored)
        return (logits / self._manifest.temperature).softmax(1).double().numpy()

    def with_two_heads(self) -> PreTrainedModel:
        """A network of its weights with two heads, each of which answers as the model does."""
        model = build(self._recipe.architecture, self._recipe.side, OUTPUTS)
        state = self._model.state_dict()
        head = last_layer(self._model)
        (name,) = (name for name, module in self._model.named_modules() if module is head)
        for part in ("weight", "bias"):
            one = state[f"{name}.{part}"]
            state[f"{name}.{part}"] = torch.cat([one, one])
        model.load_state_dict(state)
        return model
