"""Recordings with a table that says what each of them is."""

import pytest

from mimii.common.errors import UserError
from mimii.data.lookup import open_source
from mimii.planning.config import read_config


def source(root, text=None, files=40, **table):
    """A source of `root`, which holds 0.wav, 1.wav ... and the table `text`."""
    for number in range(files):
        if not (root / f"{number}.wav").exists():
            (root / f"{number}.wav").touch()
    if text is not None:
        (root / "labels.csv").write_text(text, encoding="utf-8")
    dataset = {"source": "table", "root": str(root), "table": table}
    return open_source(read_config({"dataset": dataset, "models": {"vae": {}}})["dataset"])


def described(source):
    return {
        section.path: [
            (clip.path, clip.label, clip.split, clip.domain, clip.attributes) for clip in source.clips(section)
        ]
        for section in source.sections()
    }


def lines(count, label="normal", rest=""):
    return "".join(f"{number}.wav,{label}{rest}\n" for number in range(count))


def test_path_and_label_are_enough(tmp_path):
    own = source(tmp_path, "path,label\n" + lines(12) + "20.wav,abnormal\n")
    (section,) = own.sections()
    assert section.path == "+/+/+"
    own.check(section)
    assert [clip[:3] for clip in described(own)["+/+/+"]][-2:] == [
        ("0.wav", "normal", "test"),
        ("20.wav", "abnormal", "test"),
    ]
    assert own.open(own.clips(section)[0]) == str(tmp_path / "1.wav")


def test_every_column_under_other_names_and_words(tmp_path):
    text = (
        "\ufeffFile;OK?;Machine;Unit;Noise;Where;Speed;Part\n"
        "0.wav;Gut;big press;7/b;6dB;source;v 21;train\n"
        "./1.wav;gut;big press;7/b;6dB;TARGET;;test\n"
        "2.wav;kaputt;big press;7/b;6dB;target;v 30;test\n"
        "3.wav;gut;;;;;;train\n"
    )
    columns = {"path": "File", "label": "OK?", "machine": "Machine", "section": "Unit", "snr": "Noise"}
    columns |= {"domain": "Where", "attributes": "Speed", "split": "Part"}
    own = source(tmp_path, text, columns=columns, normal=["gut"], abnormal=["kaputt", "defekt"])
    assert [own.has_domains(section) for section in own.sections()] == [False, True]
    assert described(own) == {
        "+/+/+": [("3.wav", "normal", "train", None, "")],
        "6dB/big_press/7_b": [
            ("0.wav", "normal", "train", "source", "v 21"),
            ("1.wav", "normal", "test", "target", ""),
            ("2.wav", "abnormal", "test", "target", "v 30"),
        ],
    }


def test_what_the_table_says_is_part_of_the_fingerprint(tmp_path):
    def fingerprint(text):
        own = source(tmp_path, "path,label,attributes,machine\n" + text)
        return [own.fingerprint(section) for section in own.sections()]

    first = fingerprint("0.wav,normal,a,x\n1.wav,normal,a,y\n")
    assert fingerprint("1.wav,normal,a,y\n0.wav,normal,a,x\n") == first
    for changed in ("0.wav,abnormal,a,x", "0.wav,normal,b,x", "2.wav,normal,a,x"):
        again = fingerprint(changed + "\n1.wav,normal,a,y\n")
        assert [old == new for old, new in zip(first, again, strict=True)] == [False, True]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, r"dataset.root: .*labels.csv' is missing"),
        ("", r"has no column 'path', but none"),
        ("file,label\n", r"has no column 'path', but 'file', 'label'; set dataset.table.columns.path"),
        ("path,label\n", r"names no recording"),
        (
            "path,label\n0.wav,ok\n",
            r"(?s)1 line.*line 2: label 'ok' is none of normal, abnormal; .* dataset.table.normal",
        ),
        ("path,label\n99.wav,normal\n", r"line 2: '99.wav' cannot be read \(No such file"),
        ("path,label\n../0.wav,normal\n", r"leads out of dataset.root"),
        ("path,label\n/etc/passwd,normal\n", r"leads out of dataset.root"),
        ("path,label\n,normal\n", r"line 2: names no recording; write its path"),
        ("path,label\n.,normal\n", r"is not a file"),
        ("path,label\n0.wav,normal\n0.wav,normal\n", r"line 3: '0.wav' stands in line 2 already"),
        ("path,label,split\n0.wav,normal,eval\n", r"split 'eval' is none of train, test"),
        ("path,label,domain\n0.wav,normal,here\n", r"domain 'here' is none of source, target"),
        ("path,label,split\n0.wav,abnormal,train\n", r"is abnormal and in train"),
        ("path,label,split\n0.wav,normal,train\n1.wav,normal,\n", r"some recordings have a split and others none"),
        ('path,label\n"0.wav,normal\n', r"cannot be read as a table in UTF-8"),
        ("path,label,attributes\n0.wav,normal,vel,6\n", r"line 2: has more values than the header has columns"),
        ("path,label,machine\n0.wav,normal\n", r"line 2: ends before its column 'machine'"),
        ("path,label,label\n0.wav,normal,abnormal\n", r"has the column 'label' twice"),
        (
            "path,label,machine\n0.wav,normal,送风机\n1.wav,normal,水泵\n",
            r"line 3: machine '水泵' and '送风机' would both be called '_' in paths",
        ),
    ],
)
def test_tables_that_cannot_be_used_say_why(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        source(tmp_path, text).sections()


def test_what_says_nothing_may_stand_beyond_the_header(tmp_path):
    own = source(tmp_path, "path,label,,\n" + lines(12, rest=",,,") + "20.wav,abnormal\n")
    assert len(own.recordings(*own.sections())) == 13


def test_every_line_that_is_wrong_is_named_up_to_twenty(tmp_path):
    with pytest.raises(UserError, match=r"(?s)25 line.*line 21: .*and 5 more") as refused:
        source(tmp_path, "path,label\n" + lines(25, "odd")).sections()
    assert str(refused.value).count("is none of") == 20


def test_a_column_that_was_named_must_be_there(tmp_path):
    with pytest.raises(
        UserError, match=r"has no column 'unit', but 'path', 'label'; set dataset.table.columns.section"
    ):
        source(tmp_path, "path,label\n" + lines(2), columns={"section": "unit"}).sections()
    with pytest.raises(UserError, match=r"dataset.table.file: '../labels.csv' leads out"):
        source(tmp_path, "path,label\n" + lines(2), file="../labels.csv").sections()


def test_a_table_that_is_no_text_in_utf_8(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"path,label\n\xff.wav,normal\n")
    with pytest.raises(UserError, match=r"cannot be read as a table in UTF-8"):
        source(tmp_path).sections()
