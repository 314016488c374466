import numpy as np
import pytest

from qana.dataset.table.attributes import age_years, recorded
from qana.dataset.table.csv_table import read_csv, require_columns, require_encoding
from qana.dataset.table.offenders import Offenders, Skipped
from qana.dataset.table.table_file import TableFile, find_tables, one_table
from qana.errors import QanaError

COLUMNS = ("image", "label")
PLAIN = "image,label\na,naevus\nb,melanoma\n"


def table_file(tmp_path, content, *, encoding="utf-8", key=None):
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return TableFile(
        path, where="dataset.root = /data", fix="correct it", encoding=encoding, encoding_key=key
    )


def read(file, offenders=None):
    return read_csv(file, offenders or Offenders("raise"), expected=COLUMNS)


def cells(rows):
    return rows.to_numpy().tolist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiter_and_byte_order_mark_change_nothing(tmp_path, delimiter, mark):
    rows = read(table_file(tmp_path, mark + PLAIN.replace(",", delimiter)))
    assert list(rows.columns) == ["image", "label"]
    assert cells(rows) == [["a", "naevus"], ["b", "melanoma"]]


def test_semicolons_are_found_beside_commas_in_the_header(tmp_path):
    rows = read(table_file(tmp_path, 'image;label;"age, in years, at most"\na;naevus;"54,5"\n'))
    assert cells(rows) == [["a", "naevus", "54,5"]]


def test_cells_are_stripped_and_empty_lines_passed_over(tmp_path):
    rows = read(table_file(tmp_path, "image , label,\r\n a,\tnaevus \r\n\r\n,,\r\nb\r\n"))
    assert list(rows.columns) == ["image", "label"]
    assert cells(rows) == [["a", "naevus"], ["b", ""]]
    assert list(rows.index) == [2, 5]


def test_lines_are_numbered_as_an_editor_does_when_a_cell_holds_a_line_end(tmp_path):
    rows = read(table_file(tmp_path, 'image,label\na,"two\nlines"\nb,naevus\n'))
    assert list(rows.index) == [3, 4]
    assert rows.loc[4, "image"] == "b"


def test_lines_with_more_cells_than_the_header_are_all_listed_or_left_out(tmp_path):
    file = table_file(tmp_path, PLAIN + "c,naevus,flat,dark\nd,melanoma,\ne,naevus,raised\n")
    with pytest.raises(
        QanaError, match=r"2 lines of labels.csv with more cells .*: line 4 \(4 cells\), line 6"
    ):
        read(file)
    skip = Offenders("skip")
    assert cells(read(file, skip)) == [["a", "naevus"], ["b", "melanoma"], ["d", "melanoma"]]
    assert skip.skipped == (
        Skipped(
            "lines of labels.csv with more cells than the header", ("line 4 (4 cells)", "line 6 (3 cells)")
        ),
    )


def test_latin_1_is_refused_with_the_byte_and_the_key_that_sets_the_encoding(tmp_path):
    content = "image,label\na,naevus\nb,nævus\n".encode("latin-1")
    with pytest.raises(QanaError, match="byte 0xe6 at position 24, line 3") as caught:
        read(table_file(tmp_path, content, key="dataset.encoding"))
    assert caught.value.where == "dataset.encoding = utf-8"
    assert "latin-1" in caught.value.allowed
    assert caught.value.fix.startswith("dataset.encoding=cp1252")
    rows = read(table_file(tmp_path, content, encoding="latin-1", key="dataset.encoding"))
    assert cells(rows)[1] == ["b", "nævus"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_the_key_that_reads_it(tmp_path, codec):
    with pytest.raises(QanaError, match="is not a CSV table in utf-8: byte 0x") as caught:
        read(table_file(tmp_path, PLAIN.encode(codec), key="dataset.encoding"))
    assert caught.value.fix.startswith("dataset.encoding=utf-16")
    assert cells(read(table_file(tmp_path, PLAIN, encoding=codec)))[0] == ["a", "naevus"]


def test_a_published_table_in_another_encoding_has_no_key_to_set(tmp_path):
    with pytest.raises(
        QanaError, match="is not a CSV table in utf-8: byte 0xff at position 0, line 1"
    ) as caught:
        read(table_file(tmp_path, PLAIN.encode("utf-16-le").join([b"\xff\xfe", b""])))
    assert caught.value.where == "dataset.root = /data"
    assert caught.value.allowed == "text in UTF-8, with or without byte order mark"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not a CSV table .it is empty"),
        ("\n\n", "is not a CSV table .it is empty"),
        ('image,label\na,"open', "is not a CSV table .line 2: unexpected end of data"),
        ("image,label\n", "has no rows"),
        ("image,label,image\na,b,c\n", "has the columns image more than once"),
    ],
)
def test_a_table_that_is_none_is_refused_even_under_skip(tmp_path, content, message):
    with pytest.raises(QanaError, match=f"labels.csv {message}"):
        read(table_file(tmp_path, content), Offenders("skip"))


def test_missing_columns_are_all_named(tmp_path):
    file = table_file(tmp_path, "file,label\na,naevus\n")
    with pytest.raises(QanaError, match="lacks the columns image, group; it has file, label"):
        require_columns(file, read(file), ["image", "label", "group"])


@pytest.mark.parametrize("encoding", ["utf-9", "base64"])
def test_an_encoding_that_makes_no_text_is_refused(encoding):
    with pytest.raises(QanaError, match=f"no text encoding is called '{encoding}'") as caught:
        require_encoding(encoding, key="dataset.encoding")
    assert caught.value.where == f"dataset.encoding = {encoding}"


def test_nearest_table_is_found_copies_count_as_one_and_different_ones_are_refused(tmp_path):
    for folder in ("deep/er", "deep"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "t.csv").write_text("a")
    (tmp_path / "deep" / "other.csv").write_text("b")
    (tmp_path / "deep" / "back").symlink_to(tmp_path)  # a loop
    assert find_tables(tmp_path, ["t.csv"]) == [tmp_path / "deep/t.csv", tmp_path / "deep/er/t.csv"]
    assert one_table(tmp_path, ["t.csv"], fix="").path == tmp_path / "deep/t.csv"
    assert one_table(tmp_path, ["u.csv"], fix="") is None
    (tmp_path / "deep/er/t.csv").write_text("c")
    with pytest.raises(QanaError, match=r"2 different tables: deep/t.csv, deep/er/t.csv"):
        one_table(tmp_path, ["t.csv"], fix="")


def test_attributes_that_were_not_recorded_are_nan_and_unknown():
    np.testing.assert_array_equal(
        age_years(["54", "54.5", "54,5", "", "NA", "unknown"]), [54, 54.5, 54.5] + [np.nan] * 3
    )
    assert recorded(["male", "", "N/A", "Unknown"]).tolist() == ["male", "unknown", "unknown", "unknown"]
