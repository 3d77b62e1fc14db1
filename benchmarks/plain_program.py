"""What a user would write in place of this workflow: one section, one autoencoder, its AUC. Nothing of it is kept.

    python benchmarks/plain_program.py FOLDER [--epochs 50]

FOLDER holds normal/*.wav and abnormal/*.wav of 16 kHz. Features with librosa, windows stacked in memory, a DataLoader,
Adam; the network, its settings and the split are those of `simple_ae` with its defaults. `end_to_end.py` measures it.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

FRAMES, N_MELS, HIDDEN, LATENT = 5, 64, 64, 8
BATCH_SIZE, LEARNING_RATE, HELD_OUT = 256, 1e-3, 0.1


def log_mel(path: Path) -> np.ndarray:
    """(frames, n_mels) in dB of the first channel."""
    samples, rate = librosa.load(path, sr=None, mono=False)
    mel = librosa.feature.melspectrogram(
        y=np.atleast_2d(samples)[0], sr=rate, n_fft=1024, hop_length=512, n_mels=N_MELS, pad_mode="reflect"
    )
    return (10 * np.log10(mel + sys.float_info.epsilon)).T


def windows_of(frames: np.ndarray) -> torch.Tensor:
    """Every window of a clip, stacked: (windows, frames x n_mels)."""
    windows = [frames[first : first + FRAMES].ravel() for first in range(len(frames) - FRAMES + 1)]
    return torch.from_numpy(np.stack(windows).astype(np.float32))


def train(windows: torch.Tensor, epochs: int) -> nn.Module:
    widths = [FRAMES * N_MELS, HIDDEN, HIDDEN, LATENT, HIDDEN, HIDDEN, FRAMES * N_MELS]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(windows), batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    for _ in range(epochs):
        for (batch,) in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(batch), batch)
            loss.backward()
            optimizer.step()
    return network


def area_under_curve(folder: Path, epochs: int) -> float:
    """AUC of one section: as many normal clips are tested as there are abnormal ones."""
    normal = [log_mel(path) for path in sorted((folder / "normal").glob("*.wav"))]
    abnormal = [log_mel(path) for path in sorted((folder / "abnormal").glob("*.wav"))]
    training, tested = normal[len(abnormal) :], normal[: len(abnormal)]
    fitted = training[: len(training) - int(HELD_OUT * len(training))]
    frames = np.concatenate(fitted)
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    network = train(torch.cat([windows_of((clip - mean) / deviation) for clip in fitted]), epochs)
    scores = []
    with torch.no_grad():
        for clip in tested + abnormal:
            windows = windows_of((clip - mean) / deviation)
            scores.append(float(nn.functional.mse_loss(network(windows), windows)))
    return float(roc_auc_score([0] * len(tested) + [1] * len(abnormal), scores))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a section: normal/*.wav, abnormal/*.wav")
    parser.add_argument("--epochs", type=int, default=50)
    arguments = parser.parse_args()
    print(json.dumps({"auc": area_under_curve(arguments.folder, arguments.epochs)}))
