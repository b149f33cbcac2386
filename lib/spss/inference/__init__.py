"""From a trained model and an image to classes, probabilities and uncertainty."""

from spss.inference.prediction import Prediction
from spss.inference.predictor import Predictor

__all__ = ["Prediction", "Predictor"]
