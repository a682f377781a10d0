"""Training of any `BaseModel`."""

from difflut.training.evaluation import accuracy, predict
from difflut.training.recipes import Recipe, recipe_for
from difflut.training.trainer import TrainingResult, train

__all__ = ["Recipe", "TrainingResult", "accuracy", "predict", "recipe_for", "train"]
