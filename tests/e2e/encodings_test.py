"""Texts in other encodings, with marks, other line ends, as HTML, and what is no text."""
import re

import pytest

LINES = [f"{i}: the sea was calm and a ship came from far" for i in range(30)]


def stored(rpt, key):
    return rpt("memory", "show", "mem", key, "--text").out


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"])
def test_encodings_a_mark_names_the_encoding_and_is_no_text(rpt, tmp_path, encoding):
    text = "Der Löwe \U0001F981 stood.\n" * 20
    (tmp_path / "a.txt").write_bytes(("\ufeff" + text).encode(encoding))
    assert rpt("add", "mem", "a.txt", "--json").json["documents"] == 1
    assert stored(rpt, "a.txt") == text
    assert rpt("add", "mem", "a.txt", "--json").json["unchanged"] == 1
    rpt("add", "mem", "-", stdin=("\ufeff" + text).encode(encoding))
    assert stored(rpt, "stdin") == text
    (tmp_path / "q").write_bytes("\ufeffDer Löwe".encode(encoding))
    assert rpt("search", "mem", "--file", "q", "--json").json == rpt("search", "mem", "Der Löwe", "--json").json


def test_encodings_what_is_not_utf8_is_told_with_what_to_do(rpt, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_bytes("Der Löwe.\n".encode("latin-1"))
    (tmp_path / "d/b.txt").write_text("plain\n")
    (skipped,) = rpt("add", "mem", "d", "--json").json["skipped_paths"]
    assert skipped["path"] == "d/a.txt"
    assert skipped["reason"].startswith("not UTF-8 at byte 5;") and "--encoding" in skipped["reason"]
    rpt("add", "mem", "d/a.txt", "--encoding", "windows-1252", "--key", "a")
    assert stored(rpt, "a") == "Der Löwe.\n"
    assert "iconv --list" in rpt("add", "mem", "d/a.txt", "--encoding", "klingon", code=2).err


def test_encodings_lossy_keeps_the_bytes_of_files_and_streams(rpt, tmp_path):
    bytes_ = b"one \xff two\n" * 10
    (tmp_path / "a.txt").write_bytes(bytes_)
    assert rpt("add", "mem", "a.txt", "--lossy", "--json").json["bytes"] == len(bytes_)
    assert rpt("add", "mem", "a.txt", "--lossy", "--json").json["unchanged"] == 1
    assert rpt("add", "mem", "-", "--lossy", "--json", stdin=bytes_).json["bytes"] == len(bytes_)
    assert "one \ufffd" in rpt("search", "mem", "two", "--json").json["hits"][0]["lines"]


def test_encodings_a_stream_keeps_what_came_before_an_invalid_byte(rpt):
    err = rpt("add", "mem", "-", stdin=b"first words. " * 30 + b"\xff more", code=1).err
    assert "not UTF-8 at byte 390" in err and "--lossy" in err and "390 bytes" in err
    assert stored(rpt, "stdin") == "first words. " * 30


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_every_line_end_counts_lines(rpt, tmp_path, end):
    (tmp_path / "a.txt").write_bytes(end.join(LINES).encode())
    rpt("add", "mem", "a.txt")
    hits = rpt("search", "mem", "calm", "-k", "50", "--json").json["hits"]
    text = end.join(LINES)
    assert len(hits) > 3
    for hit in hits:
        ends = [m.end() for m in re.finditer("\r\n|\r|\n", text)]
        assert hit["line"] == 1 + sum(at <= hit["begin"] for at in ends)
    assert "\r" not in rpt("search", "mem", "calm").out


def test_encodings_html_is_read_as_its_text(rpt, tmp_path):
    page = ("<!DOCTYPE html><html><head><title>Whales</title><style>p{}</style><script>no()</script></head>"
            "<body><h1>Of whales</h1><p>They &amp; we <b>swim</b>.</p></body></html>")
    (tmp_path / "a.html").write_text(page)
    (tmp_path / "page.txt").write_text(page)
    rpt("add", "mem", "a.html", "page.txt")
    assert stored(rpt, "a.html") == "Whales\n\nOf whales\n\nThey & we swim.\n"
    assert stored(rpt, "page.txt") == page
    rpt("add", "mem", "a.html", "--html-source", "--key", "source")
    assert stored(rpt, "source") == page
    rpt("add", "mem", "-", "--key", "b.html", stdin=page.encode())
    assert stored(rpt, "b.html") == stored(rpt, "a.html")


@pytest.mark.parametrize("name, content, words", [
    ("book.epub", b"PK\x03\x04\x00\x00binary", ["EPUB", "pandoc"]),
    ("paper.pdf", b"%PDF-1.5\n%text", ["PDF", "pdftotext"]),
    ("letter.docx", b"PK\x03\x04\x00\x00binary", ["Word", "pandoc"]),
    ("photo", b"\xff\xd8\xff\x00\x00", ["binary"]),
    ("sheet.txt", "plain text without a mark".encode("utf-16-le"), ["utf-16le", "--encoding"]),
])
def test_encodings_what_is_no_text_is_named(rpt, tmp_path, name, content, words):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_bytes(content)
    (skipped,) = rpt("add", "mem", "d", "--json").json["skipped_paths"]
    for word in words:
        assert word in skipped["reason"]
