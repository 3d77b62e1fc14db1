"""Speed and memory of feature extraction, beside what a user would write with librosa.

    python benchmarks/features.py [--clips 1418] [--recordings FOLDER] [--repeat 3] [--json FILE]

Every recording is a link to one of a few 8-channel clips of 10 s (noise, or the first wav files of --recordings), so
reading comes from the page cache for both. One thread each. Times per clip are CPU time, those of jobs wall time; the
best of several rounds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workbench import ONE_THREAD, REPOSITORY, write_figures

from mimii.data.recordings import ordered_clips

SCRIPT = REPOSITORY / "scripts" / "extract_features.py"
GOALS = {"per_clip_ratio": 4, "job_ratio": 2.5, "two_jobs_ratio": 1.8, "peak_rss_mb": 400, "read_mb_per_s": 500}
SECTION = "6dB/fan/id_00"


def reference(root: Path, output: Path) -> None:
    """As one would write it: decode, channel 0, mel spectrogram, logarithm, one array per section."""
    import librosa
    import numpy as np

    started = time.process_time()
    features = []
    for path in sorted(root.glob(f"{SECTION}/*/*.wav")):
        samples, rate = librosa.load(path, sr=None, mono=False)
        mel = librosa.feature.melspectrogram(
            y=samples[0], sr=rate, n_fft=1024, hop_length=512, n_mels=64, power=2.0, pad_mode="reflect"
        )
        features.append(10 * np.log10(mel + sys.float_info.epsilon).T)
        if len(features) == 1:  # librosa compiles and caches at its first call
            started = time.process_time()
    np.save(output, np.concatenate(features))
    print((time.process_time() - started) / (len(features) - 1))


def ours(root: Path, output: Path) -> None:
    """The library in one process, after its imports."""
    from mimii.common.process import prepare_process
    from mimii.data.lookup import open_source
    from mimii.data.sections import Section
    from mimii.features.extraction import extract_features
    from mimii.features.extractor import extractor_class

    values = settings()
    prepare_process()  # as the workflow's script does
    extractor_class(values["extractor"])  # imports librosa's filters
    started = time.process_time()
    extract_features(open_source(dataset(root)), Section.parse(SECTION), values, output)
    print((time.process_time() - started) / sum(1 for _ in root.glob(f"{SECTION}/*/*.wav")))


def read_back(features: Path) -> None:
    """MB/s at which the training clips are read into one array: median of five."""
    from mimii.features.file import read_clips, read_table

    speeds = []
    for _ in range(5):
        started = time.perf_counter()
        clips = read_clips(features, read_table(features).usable("train"))
        speeds.append(clips.frames.nbytes / 1e6 / (time.perf_counter() - started))
    print(sorted(speeds)[2])


def dataset(root: Path) -> dict:
    return {"source": "folder", "root": str(root), "snrs": "all", "machines": "all", "ids": "all"}


def settings() -> dict:
    from mimii.features.settings import resolve_features

    return resolve_features()


def command(root: Path, output: Path) -> list[str]:
    """The workflow's own job."""
    from mimii.data.sections import Section
    from mimii.planning import job_parameters
    from mimii.planning.plan import Plan

    plan = Plan({"dataset": dataset(root), "models": {"pca": {}}})
    job = job_parameters.features_job(plan, "default", Section.parse(SECTION))
    files = ["--output", str(output), "--record", str(output.with_suffix(".json"))]
    return [sys.executable, str(SCRIPT), "--dataset", json.dumps(dataset(root)), "--job", job, *files]


def myself(function: str, *arguments: object) -> list[str]:
    return [sys.executable, __file__, f"--run={function}", *map(str, arguments)]


def run(*commands: list[str]) -> tuple[float, float, str]:
    """Run side by side. Returns wall seconds, largest resident memory of one process (MB), the first one's output."""
    started = time.perf_counter()
    environment = {**os.environ, **ONE_THREAD}
    running = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True, env=environment) for one in commands]
    outputs, peaks = [], []
    for process in running:
        outputs.append(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks.append(usage.ru_maxrss * 1024 / 1e6)
        if process.returncode:
            sys.exit(f"failed: {' '.join(process.args)}")
    return time.perf_counter() - started, max(peaks), outputs[0]


def lay_out(root: Path, clips: int, recordings: Path | None) -> None:
    """A section of `clips` links to 16 recordings, half of them for training; a fifth of the clips are abnormal."""
    import numpy as np
    import soundfile

    if recordings:
        originals = [path.resolve() for path in sorted(recordings.rglob("*.wav"))[:16]]
    else:
        originals = []
        for number in range(16):
            noise = np.random.default_rng(number).normal(0, 0.1, (160000, 8))
            originals.append(root / f"noise_{number}.wav")
            soundfile.write(originals[-1], noise, 16000, subtype="PCM_16", format="WAVEX")
    names = [f"{SECTION}/{'abnormal' if number < clips // 5 else 'normal'}/{number:08d}.wav" for number in range(clips)]
    abnormal, normal = names[: clips // 5], names[clips // 5 :]
    half = len(originals) // 2
    for number, clip in enumerate(ordered_clips(normal, abnormal)):
        link = root / clip.path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(originals[number % half + (half if clip.split == "test" else 0)])


def measure(clips: int, recordings: Path | None, repeat: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        root, features = Path(folder), Path(folder, "features.parquet")
        lay_out(root, clips, recordings)
        run(myself("reference", root, root / "warm_up.npy"))  # librosa's cache on disk, the page cache
        rounds = []
        for _ in range(repeat):  # in turn, so that a busy moment hits all of them
            now = {}
            now["reference_job"], _, printed = run(myself("reference", root, root / "reference.npy"))
            now["reference_clip"] = float(printed)
            now["job"], peak, _ = run(command(root, features))
            now["clip"] = float(run(myself("ours", root, features))[2])
            now["two_jobs"], _, _ = run(command(root, root / "1.parquet"), command(root, root / "2.parquet"))
            now["read"] = -float(run(myself("read_back", features))[2])
            rounds.append(now)
        best = {name: min(one[name] for one in rounds) for name in rounds[0]}
        few = root / "few"
        few.mkdir()
        lay_out(few, 50, recordings)
        _, peak_of_few, _ = run(command(few, few / "features.parquet"))
        return {
            "clips": clips,
            "reference_ms_per_clip": 1000 * best["reference_clip"],
            "ms_per_clip": 1000 * best["clip"],
            "per_clip_ratio": best["reference_clip"] / best["clip"],
            "reference_job_s": best["reference_job"],
            "job_s": best["job"],
            "job_ratio": best["reference_job"] / best["job"],
            "two_jobs_s": best["two_jobs"],
            "two_jobs_ratio": 2 * best["job"] / best["two_jobs"],
            "peak_rss_mb": peak,
            "peak_rss_mb_of_50_clips": peak_of_few,
            "read_mb_per_s": -best["read"],
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1418, help="clips of the section (default: MIMII's largest order)")
    parser.add_argument("--recordings", type=Path, help="folder of wav files to use in place of noise")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the best time of each counts")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--run", choices=["reference", "ours", "read_back"], help=argparse.SUPPRESS)
    parser.add_argument("paths", type=Path, nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        {"reference": reference, "ours": ours, "read_back": read_back}[arguments.run](*arguments.paths)
        sys.exit()
    figures = measure(arguments.clips, arguments.recordings, arguments.repeat)
    for name, value in figures.items():
        goal = GOALS.get(name)
        limit = "" if goal is None else f"   goal {'at most' if name == 'peak_rss_mb' else 'at least'} {goal}"
        print(f"{name:26} {value:10.2f}{limit}")
    if arguments.json:
        write_figures(arguments.json, {**figures, "goals": GOALS})
