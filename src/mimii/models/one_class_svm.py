"""One-class support vector machine.

Idea: the smallest region that holds all but a share nu of normal vectors, in the space of a kernel.
The kernel is Gaussian (rbf): with the others a vector far away can look more normal than any that was seen.
Shapes: frames x n_mels = 320 values, standardised per mel band and turned to their 32 principal components of the
largest variance, not whitened: with all components whitened, distances are nearly alike, and the score ranks as a plain
norm does. The kernel's width follows from the data: gamma is 5 / the median squared distance of two training vectors.
The kernel of two vectors that far apart is .007, so a vector is compared with its neighbours, not with all.
Score: minus the signed distance to the region's boundary: higher = more anomalous, negative inside.
Published: no figure with a source. The original framework expects an AUC of .50 to .60 on MIMII, and does not say from
what.
Parameters: support vectors and their weights, intercept, principal components and mean, standardisation.
Paper: Schölkopf et al., Neural Computation 13, 2001.
"""

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.estimator import EstimatorDetector
from mimii.features.clips import Clips

# Of the kernel, in median distances; see the module.
NARROWNESS = 5.0


class Detector(EstimatorDetector):
    """See the module."""

    libraries = ("scikit-learn",)
    fit_modules = ("sklearn.decomposition", "sklearn.svm")

    def learn(self, training: Clips) -> int:
        from sklearn.svm import OneClassSVM

        settings = self.settings
        self.learn_scale(training)
        vectors = self.scaled(self.drawn_vectors(training, settings["max_vectors"]))
        projected = self.learn_components(vectors, whiten=settings["whiten"]).astype(np.float64)
        gamma = settings["gamma"]
        if gamma is None:
            gamma = NARROWNESS / self._squared_distance(projected)
        machine = OneClassSVM(nu=settings["nu"], gamma=gamma, cache_size=500)
        machine.random_state = self.seed  # which it never uses, but else draws from numpy's global random state
        machine.fit(projected)
        self.learnt |= {
            "support_vectors": machine.support_vectors_,
            "weights": machine.dual_coef_[0],
            "intercept": machine.intercept_[0],
            "gamma": gamma,
        }
        return len(vectors)

    def _squared_distance(self, vectors: NDArray[np.float64]) -> float:
        """The median over pairs of vectors, each with one drawn with the seed."""
        others = vectors[np.random.default_rng(self.seed).permutation(len(vectors))]
        return float(np.median(np.square(vectors - others).sum(1))) or 1.0  # of vectors that are all the same

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.in_components(self.scaled(vectors))

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        # The decision function by matrix products: libsvm's own goes vector by vector and is many times slower.
        values, support_vectors = vectors.astype(np.float64), self.learnt["support_vectors"]
        squares = np.square(values).sum(1)[:, None] + np.square(support_vectors).sum(1)
        kernel = np.exp(-self.learnt["gamma"] * np.maximum(squares - 2 * values @ support_vectors.T, 0))
        return -(kernel @ self.learnt["weights"] + self.learnt["intercept"])
