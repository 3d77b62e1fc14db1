"""Figures of clips: the right ones, reconstructed frame by frame, with their window scores."""

import numpy as np
import pytest

from mimii.common.errors import UserError
from mimii.paper.clip_figures import choose_clips, clip_figure
from mimii.paper.clip_views import Shown
from mimii.planning.plan import Plan
from mimii.runs.clip_scores import ClipScores

METRICS = {
    "model": "vae",
    "db_level": "6dB",
    "machine_type": "fan",
    "machine_id": "id_00",
    "auc": 0.7,
    "threshold": 1.5,
}


def test_the_extremes_of_each_class_are_chosen():
    abnormal, none = np.array([0, 0, 0, 1, 1, 1], bool), np.full(6, None, object)
    clips = ClipScores(np.array(list("abcdef"), object), abnormal, np.array([2, 1, 3, 9, 0, 5.0]), none, none)
    assert choose_clips(clips) == {
        "abnormal, highest": 3,
        "abnormal, lowest": 4,
        "normal, highest": 2,
        "normal, lowest": 1,
    }


def config(**changes):
    made_up = {"snrs": ["min6dB", "6dB"], "machines": ["fan", "pump"], "ids": ["id_00", "id_02"]}
    dataset = {"source": "made_up", "root": "nowhere", "made_up": made_up}
    return {"dataset": dataset, "models": {"simple_ae": {}, "pca": {}}, **changes}


@pytest.mark.parametrize("reconstructed", [True, False])
def test_the_figure_has_a_row_for_each_view_and_the_threshold(reconstructed):
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(20, 8)).astype(np.float32)
    clips = [
        Shown(
            f"clip {number}",
            number < 2,
            True,
            picture,
            picture if reconstructed else None,
            np.arange(16.0),
            rng.random(16),
            2.0,
        )
        for number in range(4)
    ]
    figure = clip_figure(clips, METRICS)
    panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None and axes.get_label() != "<colorbar>"]
    assert len(panels) == (12 if reconstructed else 8)
    assert [len(axes.get_images()) for axes in panels].count(1) == (8 if reconstructed else 4)
    scores = panels[-1].get_lines()
    np.testing.assert_array_equal(scores[0].get_ydata(), clips[-1].scores)
    assert scores[1].get_ydata() == [1.5, 1.5]


@pytest.mark.parametrize(
    ("clips", "figures"),
    [
        ({}, ["simple_ae/6dB/fan/id_00", "simple_ae/6dB/pump/id_00"]),
        ({"models": "all", "sections": ["min6dB/fan/id_02"]}, ["simple_ae/min6dB/fan/id_02", "pca/min6dB/fan/id_02"]),
        ({"models": []}, []),
    ],
)
def test_figures_are_chosen_in_the_configuration(clips, figures):
    assert Plan(config(report={"clips": clips})).clip_figures() == figures


@pytest.mark.parametrize(
    ("clips", "says"),
    [
        ({"models": ["pcaa"]}, "report.clips.models: unknown model 'pcaa'; did you mean 'pca'"),
        ({"sections": ["6dB/fan/id_01"]}, "report.clips.sections: unknown section"),
    ],
)
def test_what_is_not_configured_is_refused(clips, says):
    with pytest.raises(UserError, match=says):
        Plan(config(report={"clips": clips})).clip_figures()
