"""A clip's reconstruction from those of its windows."""

import numpy as np
import pytest
import torch

from mimii.common.declarations import resolve
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.features.clips import Clips


@pytest.mark.parametrize("standardize", [True, False])
def test_a_reconstruction_is_the_mean_over_the_windows_that_hold_a_frame(standardize):
    given = {"frames": 4, "hop_frames": 3, "standardize": standardize, "latent": 4}
    detector = detector_class("simple_ae")(resolve(model_declaration("simple_ae").settings, given), 16, seed=1)
    # The first frame of a window is made 1 higher, so overlapping windows disagree on every third frame.
    detector.network = torch.nn.Module()
    detector.network.forward = lambda windows: windows + torch.tensor([1.0, 0, 0, 0])[:, None]
    detector.mean, detector.deviation = torch.full((16,), 3.0), torch.full((16,), 2.0)
    frames = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
    made = detector.reconstruct(Clips(frames, np.array([12, 12])))
    step = 2.0 if standardize else 1.0
    for first in (0, 12):
        raised = np.array([1, 0, 0, 0.5, 0, 0, 0.5, 0, 0, 0]) * step
        np.testing.assert_allclose(made[first : first + 10], frames[first : first + 10] + raised[:, None], atol=1e-6)
        assert np.isnan(made[first + 10 : first + 12]).all()  # windows start at 0, 3 and 6
