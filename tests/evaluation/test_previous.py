"""CSVs of the last run that had them are kept, whatever becomes of those in their place."""

from pathlib import Path

from mimii.evaluation.previous import keep_previous, previous_csv


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def kept(results):
    folder = results / "previous"
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_last_of_each_is_kept(tmp_path):
    results, csv = tmp_path / "results", tmp_path / "elsewhere" / "all.csv"
    keep_previous(results, csv)
    assert not results.exists()
    write(csv, "1")
    write(results / "studies" / "rates.csv", "1")
    write(results / "studies" / "rates.html", "no CSV")
    keep_previous(results, csv)
    assert kept(results) == {"all.csv": "1", "studies/rates.csv": "1"}
    csv.unlink()
    write(results / "studies" / "rates.csv", "2")
    write(results / "models" / "vae.csv", "2")
    keep_previous(results, csv)
    assert kept(results) == {"all.csv": "1", "studies/rates.csv": "2", "models/vae.csv": "2"}
    assert previous_csv(results, csv) == Path(results, "previous", "all.csv")
