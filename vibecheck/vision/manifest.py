"""`vibecheck.json`: what VibeCheck needs to know about a model beyond its Hugging Face folder."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.text.version_name import VersionName

FILE_NAME = "vibecheck.json"

Proportion = Annotated[float, Field(gt=0, le=1)]


class Manifest(BaseModel):
    """How faces are cropped for a model, and how its probabilities are calibrated.

    All fields but `version` have a default that suits an unknown model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: VersionName = Field(description="Written with every prediction it makes.")
    origin: str = Field("", max_length=300, description="Where it came from, for people.")
    grey: bool = Field(False, description="It was trained on grey pictures: luma goes into all channels.")
    crop_scale: float = Field(
        1.0, gt=0.3, le=3, description="Side of its crop, as a multiple of the longer side of the face box."
    )
    upright: bool = Field(True, description="The crop is turned upright by the eyes.")
    mirrored: bool = Field(
        False, description="Its answer is the mean of its logits for the face and for its mirror image."
    )
    temperature: float = Field(1.0, gt=0.05, le=20, description="The graph divides its logits by this.")
    class_prior: tuple[Proportion, ...] | None = Field(
        None, description="Class prior of its training: shares of the seven moods, in VibeCheck's order."
    )
    prior_strength: float = Field(
        0.0, ge=0, le=1, description="0 does not change the answers, 1 removes the class prior entirely."
    )
    promised_accuracy: float | None = Field(
        None, gt=0, le=1, description="Expected accuracy when it was promoted."
    )

    @field_validator("class_prior")
    @classmethod
    def _seven_that_sum_to_one(cls, prior: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if prior is not None and (len(prior) != len(NAMES) or abs(sum(prior) - 1) > 0.01):
            raise ValueError("must be seven shares that sum to 1")
        return prior

    @classmethod
    def read(cls, folder: Path, default: "Manifest | None" = None) -> "Manifest":
        """The manifest of a model folder, or `default` for a folder without one.

        Raises ModelError that names the file and the field.
        """
        path = folder / FILE_NAME
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            if default is not None:
                return default
            raise unusable(path, "is missing. Make it") from error
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
            raise ModelError(f"{path} cannot be used: {problems}.") from error
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read: {error}.") from error

    def write(self, folder: Path) -> None:
        """Write it into a model folder."""
        text = json.dumps(self.model_dump(), indent=2)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def unusable(path: Path, problem: str) -> ModelError:
    """The error for a file that `compile` makes, "{path} {problem} with: python -m vibecheck compile …"."""
    if not path.parent.is_dir():
        return ModelError(f"There is no model folder {path.parent}.")
    return ModelError(f"{path} {problem} with: python -m vibecheck compile {path.parent} --in-place")
