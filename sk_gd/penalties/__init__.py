"""The penalties on the coefficients: what the objective adds to the mean loss."""

from .._sources import show_sources
from .base import Penalty
from .elastic_net import ElasticNet

__all__ = ["ElasticNet", "Penalty"]


def __dir__():
    """List what is public: shells complete it."""
    return sorted(__all__)


show_sources(__name__)
