"""Isolation forest.

Idea: random splits isolate an unusual vector in few steps.
Shapes: frames x n_mels = 320 values, standardised per mel band and turned to their first 32 principal components, all
brought to the same variance. A split looks at one value alone; mel bands and frames rise and fall together, so what is
unusual shows in no single one of them. With all components, most of which hold noise, forests of different seeds agree
less (docs/quality.md).
Score: 2 ** -(mean depth over the trees / expected depth), between 0 and 1.
Published: no figure with a source. The original framework expects an AUC of .55 to .65 on MIMII, and does not say from
what.
Parameters: the nodes of all trees, principal components and mean, standardisation. What share of the training is
anomalous (contamination) only moves a threshold that nothing here uses.
Papers: Liu, Ting and Zhou, "Isolation Forest", ICDM 2008; on splits along the axes: Hariri et al., "Extended Isolation
Forest", IEEE TKDE 33, 2021, arXiv:1811.02141.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from mimii.detectors.estimator import EstimatorDetector
from mimii.features.clips import Clips


class Detector(EstimatorDetector):
    """See the module."""

    exact_in_blocks = True

    def learn(self, training: Clips) -> int:
        self.learn_scale(training)
        vectors = self.scaled(self.drawn_vectors(training, self.settings["max_vectors"]))
        vectors = self.learn_components(vectors, whiten=True)
        forest = IsolationForest(
            n_estimators=self.settings["trees"],
            max_samples=min(self.settings["max_samples"], len(vectors)),
            max_features=self.settings["max_features"],
            random_state=self.seed,
        )
        self.learnt |= {"forest": forest.fit(vectors)}
        return len(vectors)

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.in_components(self.scaled(vectors))

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return -self.learnt["forest"].score_samples(vectors)

    def parameter_count(self) -> int | None:
        if not self.learnt:
            return None
        nodes = sum(tree.tree_.node_count for tree in self.learnt["forest"].estimators_)
        return nodes + sum(int(np.size(value)) for name, value in self.learnt.items() if name != "forest")
