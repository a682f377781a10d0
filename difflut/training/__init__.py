"""Training of any `BaseModel`."""

from difflut.training.evaluation import accuracy, accuracy_unrounded, predict, predict_scores
from difflut.training.plot import plot_history
from difflut.training.recipes import RECIPES, Recipe, recipe_for
from difflut.training.thresholds import choose_thresholds
from difflut.training.trainer import TrainingResult, add_test_accuracy, train, train_untested

__all__ = [
    "RECIPES",
    "Recipe",
    "TrainingResult",
    "accuracy",
    "accuracy_unrounded",
    "add_test_accuracy",
    "choose_thresholds",
    "plot_history",
    "predict",
    "predict_scores",
    "recipe_for",
    "train",
    "train_untested",
]
