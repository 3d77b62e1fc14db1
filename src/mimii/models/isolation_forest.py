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

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.estimator import EstimatorDetector
from mimii.features.clips import Clips

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

# Nodes, of some trees and vectors, that are looked up at once: what a processor's cache holds.
BLOCK = 2**15


class Detector(EstimatorDetector):
    """See the module."""

    libraries = ("scikit-learn",)
    fit_modules = ("sklearn.decomposition", "sklearn.ensemble")

    def learn(self, training: Clips) -> int:
        from sklearn.ensemble import IsolationForest

        self.learn_scale(training)
        vectors = self.scaled(self.drawn_vectors(training, self.settings["max_vectors"]))
        vectors = self.learn_components(vectors, whiten=True)
        forest = IsolationForest(
            n_estimators=self.settings["trees"],
            max_samples=min(self.settings["max_samples"], len(vectors)),
            max_features=self.settings["max_features"],
            random_state=self.seed,
        )
        self.learnt |= nodes_of(forest.fit(vectors))
        return len(vectors)

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.in_components(self.scaled(vectors))

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        learnt, trees = self.learnt, self.settings["trees"]
        values = np.ascontiguousarray(vectors).ravel()
        starts = np.arange(0, values.size, vectors.shape[1], dtype=np.int32)
        depths, some = np.zeros(len(vectors)), max(1, BLOCK // len(vectors))
        for first in range(0, trees, some):
            roots = np.arange(first, min(first + some, trees), dtype=np.int32)
            nodes = np.repeat(roots[:, None], len(vectors), axis=1)
            for _ in range(learnt["levels"]):
                right = values.take(starts + learnt["feature"].take(nodes)) > learnt["threshold"].take(nodes)
                nodes = learnt["left"].take(nodes) + right
            depths += learnt["depth"].take(nodes).sum(0, dtype=np.float64)
        return 2.0 ** -(depths / trees / learnt["expected_depth"])

    def parameter_count(self) -> int | None:
        if not self.learnt:
            return None
        of_nodes = ("left", "threshold", "depth", "levels", "expected_depth")  # and of each node one number
        return sum(int(np.size(value)) for name, value in self.learnt.items() if name not in of_nodes)


def nodes_of(forest: "IsolationForest") -> dict[str, Any]:
    """The nodes of all trees, level by level from the roots, which have the numbers of their trees.

    feature, threshold: (nodes,); a vector goes on to the node `left` where its value is not above the threshold, else
    to the next; a leaf is its own `left`, for good. depth: (nodes,), steps from the root, and those that as many
    training vectors as the leaf holds would take further on average; as float32, whose sum in float64 is exact, so that
    it depends on no order. levels: steps to the deepest leaf. expected_depth: of all vectors that a tree has seen.
    """
    trees = [one.tree_ for one in forest.estimators_]
    counts = [tree.node_count for tree in trees]
    offset = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    children = np.concatenate([np.stack([tree.children_left, tree.children_right], axis=1) for tree in trees])
    leaf = children[:, 0] < 0
    children += offset[:, None]
    columns = zip(forest.estimators_features_, trees, strict=True)
    feature = np.concatenate([seen[np.maximum(tree.feature, 0)] for seen, tree in columns])
    threshold = np.concatenate([tree.threshold for tree in trees])
    samples = np.concatenate([tree.n_node_samples for tree in trees])

    levels = [np.unique(offset)]
    while len(below := children[levels[-1][~leaf[levels[-1]]]].ravel()):
        levels.append(below)
    order = np.concatenate(levels)
    number = np.argsort(order)
    depth = np.repeat(np.arange(len(levels)), [len(level) for level in levels]) + expected_depth(samples[order])
    return {
        "feature": np.where(leaf, 0, feature)[order].astype(np.int32),
        "threshold": np.where(leaf, np.inf, not_above(threshold))[order].astype(np.float32),
        "left": np.where(leaf[order], np.arange(len(order)), number[children[order, 0]]).astype(np.int32),
        "depth": depth.astype(np.float32),
        "levels": len(levels) - 1,
        "expected_depth": float(expected_depth(np.array([forest.max_samples_]))[0]),
    }


def not_above(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value: what is float32 is above both or none."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def expected_depth(samples: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean steps to a leaf of a binary search tree of so many vectors, as in the paper's equation 1: (values,)."""
    more = np.maximum(samples, 2) - 1.0
    steps = np.where(samples == 2, 1.0, 2 * (np.log(more) + np.euler_gamma - more / (more + 1)))
    return np.where(samples < 2, 0.0, steps)
