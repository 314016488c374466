import csv
import json
from pathlib import Path

import pytest
from grouped_rows import ids_of, rows_of_groups, split_rows
from hypothesis import given
from hypothesis import strategies as st

from qana.dataset.split import SplitFile, left_out, rows_of, split_hash
from qana.errors import QanaError

ROWS = rows_of_groups({"mel": [1 + group % 3 for group in range(12)], "nv": [1] * 20})
PARTS = split_rows(ROWS)
ids = st.text(min_size=1, max_size=5)


def split_file(**changed):
    train, val, test = (tuple(side) for side in ids_of(ROWS, PARTS))
    fields = {
        "source": "ham10000",
        "fingerprint": "ab" * 32,
        "protocol": "lesion",
        "group_key": "lesion_id",
        "folds": 5,
        "fold": 0,
        "seed": 0,
        "val_fraction": 0.15,
        "train": train,
        "val": val,
        "test": test,
    }
    return SplitFile(**fields | changed)


def small(**changed):
    return split_file(**{"train": ("a", "b"), "val": ("c",), "test": ("d",)} | changed)


def written(tmp_path, content, name="split.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def edited(tmp_path, **changed):
    content = json.loads(small().dumps()) | changed
    return written(tmp_path, json.dumps({key: value for key, value in content.items() if value != "removed"}))


def test_a_split_survives_its_file(tmp_path):
    path = written(tmp_path, split_file().dumps())
    read = SplitFile.read(path)
    assert read == split_file()
    assert read.dumps() == split_file().dumps()
    for found, expected in zip(rows_of(read, ROWS.image_ids, allow_missing=False), PARTS, strict=True):
        assert found.tolist() == expected.tolist()


@given(st.lists(ids, min_size=3, max_size=12, unique=True), st.floats(0, 1), st.data())
def test_any_ids_survive_the_file(tmp_path_factory, names, val_fraction, data):
    first = data.draw(st.integers(1, len(names) - 2))
    second = data.draw(st.integers(first + 1, len(names) - 1))
    split = small(
        train=tuple(names[:first]),
        val=tuple(names[first:second]),
        test=tuple(names[second:]),
        val_fraction=val_fraction,
    )
    path = written(tmp_path_factory.mktemp("splits"), split.dumps())
    assert SplitFile.read(path) == split


def test_the_file_is_sorted_and_says_where_it_comes_from():
    content = json.loads(small(train=("b", "a")).dumps())
    assert content == {
        "schema": 1,
        "source": "ham10000",
        "fingerprint": "ab" * 32,
        "protocol": "lesion",
        "group_key": "lesion_id",
        "folds": 5,
        "fold": 0,
        "seed": 0,
        "val_fraction": 0.15,
        "hash": split_hash(["a", "b"], ["c"], ["d"]),
        "train": ["a", "b"],
        "val": ["c"],
        "test": ["d"],
    }
    assert list(content)[:2] == ["schema", "source"]


def test_the_hash_is_that_of_its_documented_text():
    # printf '{"test":["d"],"train":["a","b"],"val":["c"]}' | sha256sum
    assert small().hash == "c5288af423aaa4fa413b81157c37db021b252abe7f61fce00c5a958ca79bbf43"


@given(st.lists(ids, min_size=6, max_size=12, unique=True), st.randoms(use_true_random=False))
def test_equal_partitions_have_equal_hashes_and_others_do_not(names, random):
    train, val, test = names[:-4], names[-4:-2], names[-2:]
    shuffled = random.sample(train, len(train))
    assert split_hash(train, val, test) == split_hash(shuffled, val[::-1], test[::-1])
    assert split_hash(train, val, test) != split_hash(val, train, test)
    assert split_hash(train, val, test) != split_hash(train, test, val)
    assert split_hash(train, val, test) != split_hash(train[1:], [*val, train[0]], test)
    assert split_hash(train, val, test) != split_hash(train[1:], val, test)


def test_the_hash_does_not_depend_on_where_the_split_comes_from():
    assert small().hash == small(source=None, seed=3, protocol="image", fingerprint=None).hash


def test_ids_are_kept_apart_in_the_hash():
    assert split_hash(["ab"], ["c"], ["d"]) != split_hash(["a", "b"], ["c"], ["d"])
    assert split_hash(["a,b"], ["c"], ["d"]) != split_hash(["a", "b"], ["c"], ["d"])


def test_an_edited_file_is_refused(tmp_path):
    path = edited(tmp_path, train=["a"], val=["b", "c"])
    with pytest.raises(QanaError, match=r"split\.json was changed after it was written") as caught:
        SplitFile.read(path)
    assert "1 train, 2 val, 1 test" in caught.value.what
    assert small().hash in caught.value.what
    assert caught.value.where == f"dataset.split_file = {path}"
    assert 'delete its "hash" line' in caught.value.fix


def test_a_file_without_a_hash_is_taken_as_it_is(tmp_path):
    assert SplitFile.read(edited(tmp_path, hash="removed")).train == ("a", "b")
    bare = SplitFile.read(written(tmp_path, '{"train": ["x"], "val": ["y"], "test": ["z"]}'))
    assert (bare.train, bare.protocol, bare.seed) == (("x",), None, None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schema": 2}, "schema 2, which this version does not know"),
        ({"tarin": ["a"]}, "'tarin' is unknown"),
        ({"val": "removed", "test": "removed"}, "'val' is missing, 'test' is missing"),
        ({"val": "c"}, "'val' is not a list of image ids"),
        ({"val": ["c", 7]}, "'val' is not a list of image ids"),
        ({"seed": "0"}, "'seed' is not a whole number"),
        ({"fold": True}, "'fold' is not a whole number"),
        ({"source": 3}, "'source' is not text"),
        ({"val_fraction": "0.2"}, "'val_fraction' is not a number"),
        ({"hash": 5}, "'hash' is not text"),
        ({"val": ["a"]}, r"1 images are named more than once: a \(train, val\)"),
        ({"val": ["c", "c"]}, r"c \(val, val\)"),
        ({"val": [], "test": []}, "no image of the source for val, test"),
    ],
)
def test_files_that_are_no_split_are_refused(tmp_path, changed, message):
    path = edited(tmp_path, **changed)
    with pytest.raises(QanaError, match=message) as caught:
        SplitFile.read(path)
    assert caught.value.where == f"dataset.split_file = {path}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("split.json", "{", "is not JSON"),
        ("split.json", b"\xff\xfe", "is not JSON"),
        ("split.json", '{"val": ["a"], "val": ["b"]}', "a key appears twice"),
        ("split.json", "[" * 100_000, "is not JSON"),
        ("split.json", "[1]", "holds a list"),
        ("split.csv", "", "lacks a column"),
        ("split.csv", "image,split\na,train\n", "lacks a column"),
        ("split.csv", "image_id,split,split\na,train,val\n", "has it twice"),
        ("split.csv", b"image_id,split\nna\xefve,train\n", "is not UTF-8 text"),
        ("split.csv", 'image_id,split\n"a,train\n', "is not a table"),
        ("split.csv", "image_id,split\na,train\na,val\nb,test\n", r"a \(train, val\)"),
        ("split.csv", "image_id,split\na,train\nb,test\n", "no image of the source for val"),
        ("split.txt", "anything", "is no split file by its name"),
    ],
)
def test_unreadable_files_are_refused(tmp_path, name, content, message):
    path = written(tmp_path, content, name)
    with pytest.raises(QanaError, match=message) as caught:
        SplitFile.read(path)
    assert caught.value.where == f"dataset.split_file = {path}"


def test_every_row_of_a_table_at_fault_is_listed(tmp_path):
    path = written(tmp_path, "image_id,split\na,train\nb,valid\n,test\nc\n", "mine.csv")
    with pytest.raises(QanaError, match="3 rows without an image or a side") as caught:
        SplitFile.read(path)
    assert "line 3 (b, valid), line 4 (no image_id, test), line 5 (c, no split)" in caught.value.what


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(QanaError, match="cannot be read"):
        SplitFile.read(tmp_path / "split.json")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(QanaError, match="cannot be read"):
        SplitFile.read(tmp_path / "folder.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_made_by_hand_is_read(tmp_path, delimiter, mark, line_end):
    table = [
        ("split", "image_id", "note"),
        ("train", "b", "x"),
        ("train", "a", ""),
        (" val ", " c ", ""),
        ("test", '"d"', ""),
    ]
    text = mark + "".join(delimiter.join(cells) + line_end for cells in table)
    split = SplitFile.read(written(tmp_path, text, "mine.csv"))
    assert (split.train, split.val, split.test) == (("a", "b"), ("c",), ("d",))
    assert (split.source, split.protocol, split.folds) == (None, None, None)
    assert split.hash == small().hash


def test_a_table_and_the_json_of_one_split_agree(tmp_path):
    path = tmp_path / "split.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image_id", "split"])
        table.writerows([image_id, name] for name, side in split_file().sides() for image_id in side)
    assert SplitFile.read(path).hash == split_file().hash


def test_split_and_source_must_name_the_same_images():
    with pytest.raises(QanaError, match="1 images of the split are not in the source: d; 2 images") as caught:
        rows_of(small(), ["y", "a", "b", "c", "x"], allow_missing=False)
    assert "2 images of the source are not in the split: x, y" in caught.value.what
    assert left_out(small(), ["y", "a", "b", "c", "x"]) == (("d",), ("x", "y"))
    assert left_out(small(), ["a", "b", "c", "d"]) == ((), ())


def test_images_that_split_and_source_do_not_share_are_left_out_when_allowed():
    parts = rows_of(small(), ["x", "d", "c", "b"], allow_missing=True)
    assert [part.tolist() for part in parts] == [[3], [2], [1]]


def test_a_side_that_keeps_no_image_is_refused():
    with pytest.raises(QanaError, match="no image of the source for train, test"):
        rows_of(small(), ["c", "x"], allow_missing=True)


def test_messages_name_the_file():
    split = small(path=Path("runs/7/split.json"))
    with pytest.raises(QanaError, match=r"dataset\.split_file = runs/7/split\.json"):
        rows_of(split, ["a"], allow_missing=False)
