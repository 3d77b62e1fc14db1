"""Isolation forest.

Idea: random splits isolate an unusual vector in few steps.
Shapes: vectors of frames x n_mels values, not scaled: a random split does not depend on the scale of a value.
Score: 2 ** -(mean depth over the trees / expected depth), between 0 and 1.
Parameters: the nodes of all trees. What share of the training is anomalous (contamination) only moves a threshold that
nothing here uses.
Paper: Liu, Ting and Zhou, "Isolation Forest", ICDM 2008.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from mimii.clips import Clips
from mimii.estimator import EstimatorDetector


class Detector(EstimatorDetector):
    """See the module."""

    exact_in_blocks = True

    def learn(self, training: Clips) -> int:
        vectors = self.drawn_vectors(training, self.settings["max_vectors"])
        forest = IsolationForest(
            n_estimators=self.settings["trees"],
            max_samples=min(self.settings["max_samples"], len(vectors)),
            max_features=self.settings["max_features"],
            random_state=self.seed,
        )
        self.learnt = {"forest": forest.fit(vectors)}
        return len(vectors)

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return -self.learnt["forest"].score_samples(vectors)

    def parameter_count(self) -> int | None:
        if not self.learnt:
            return None
        return sum(tree.tree_.node_count for tree in self.learnt["forest"].estimators_)
