import math
import os
import signal
import subprocess
import time

import pytest
from conftest import RPT, SENTENCE


def test_search_names_places_and_lines(rpt, store, text):
    hits = rpt("search", store, SENTENCE, "-k", "5", "--json").json["hits"]
    assert len(hits) == 5
    raw = text.encode()
    for hit in hits:
        assert list(hit) == ["score", "owner", "collection", "key", "chunk", "begin", "end", "line", "text",
                             "lines", "legs"]
        assert (hit["owner"], hit["collection"], hit["key"]) == ("default", "default", "sea.txt")
        assert raw[hit["begin"]:hit["end"]].decode() == hit["text"]
        assert hit["line"] == raw[:hit["begin"]].count(b"\n") + 1
    assert [h["score"] for h in hits] == sorted((h["score"] for h in hits), reverse=True)
    assert rpt("search", store, SENTENCE, "-k", "5", "--exact", "--json").json["hits"] == hits


def test_search_finds_by_words_names_and_pieces_and_says_why(rpt, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.py").write_text("import os\n\n\ndef count_islands(chart):\n    return len(chart.islands)\n")
    (tmp_path / "d/b.py").write_text("from a import count_islands\n\nprint(count_islands(load('chart.json')))\n")
    (tmp_path / "d/c.txt").write_text("The lighthouse keeper wrote letters.\nNobody answered them.\n")
    rpt("add", "mem", "d")

    def found(query, *options):
        return [(hit["key"], sorted(hit["legs"])) for hit in rpt("search", "mem", query, "--json", *options).json["hits"]]

    assert found("count_islands", "--leg", "definitions")[0] == ("d/a.py", ["definitions"])
    assert {key for key, _ in found("countIslands", "--leg", "words")} == {"d/a.py", "d/b.py"}
    assert found("LIGHTHOUSE", "--leg", "words")[0][0] == "d/c.txt"
    assert found("lighthouses", "--leg", "words") == []
    assert found("lighthouses", "--leg", "grams")[0][0] == "d/c.txt"
    assert found("nothing like it", "--leg", "definitions") == []
    (key, legs), *_ = found("keeper of the lighthouse")
    assert key == "d/c.txt" and {"words", "grams"} <= set(legs)
    told = rpt("search", "mem", "lighthouse keeper", "--why").out
    assert "found by " in told and "words #1" in told and "The lighthouse keeper wrote letters.\n" in told
    assert "klingon" in rpt("search", "mem", "x", "--leg", "klingon", code=2).err


def test_search_keeps_to_times_and_paths(rpt, tmp_path):
    (tmp_path / "src").mkdir()
    for name, days in (("src/old.py", 400), ("src/new.py", 2), ("new.txt", 1)):
        (tmp_path / name).write_text(f"the lighthouse of {name}\n")
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    rpt("add", "mem", "src", "new.txt")

    def found(*options):
        hits = rpt("search", "mem", "lighthouse", "--json", "-k", "10", *options).json["hits"]
        return sorted({hit["key"] for hit in hits})

    assert found() == ["new.txt", "src/new.py", "src/old.py"]
    assert found("--since", "7d") == ["new.txt", "src/new.py"]
    assert found("--before", "30d") == ["src/old.py"]
    assert found("--since", "2001-01-31", "--before", "36h") == ["src/new.py", "src/old.py"]
    assert found("--path", "*.py") == ["src/new.py", "src/old.py"]
    assert found("--path", "src/*", "--since", "7d", "--leg", "keys") == ["src/new.py"]
    assert found("--path", "*.c") == []
    for bad in ("yesterday", "2026-02-31", "7", "-3d"):
        code = 2 if bad != "7" else 0  # seconds
        done = rpt("search", "mem", "lighthouse", "--since=" + bad, code=code)
        assert code == 0 or "--since" in done.err


def test_search_by_words_follows_changes(rpt, tmp_path):
    note = tmp_path / "n.txt"
    note.write_text("The password of the harbour is albatross.\n")
    rpt("add", "mem", "n.txt")
    (hit,) = rpt("search", "mem", "albatross", "--leg", "words", "--json", "-k", "1").json["hits"]
    assert hit["lines"] == note.read_text()
    note.write_text("The password of the harbour is cormorant.\n")
    rpt("add", "mem", "n.txt", "--replace")
    assert rpt("search", "mem", "albatross", "--leg", "words", "--json").json["hits"] == []
    assert rpt("search", "mem", "cormorant", "--leg", "words", "--json").json["hits"]
    rpt("memory", "delete", "mem", "n.txt")
    assert rpt("search", "mem", "cormorant", "--leg", "words", "--json").json["hits"] == []


def test_search_reads_its_query_from_a_file_or_stdin(rpt, store, tmp_path):
    (tmp_path / "q").write_text(SENTENCE)
    a = rpt("search", store, SENTENCE, "--json").json
    assert rpt("search", store, "--file", "q", "--json").json == a
    assert rpt("search", store, "--file", "-", "--json", stdin=SENTENCE.encode()).json == a
    rpt("search", store, SENTENCE, "--file", "q", code=2)
    rpt("search", store, code=2)


def test_search_prints_for_people(rpt, store):
    out = rpt("search", store, SENTENCE, "-k", "1").out
    assert out.startswith("sea.txt:") and "score" in out


def test_search_stays_within_owner_and_collection(rpt, store, tmp_path, text):
    rpt("add", store, "sea.txt", "--owner", "bob", "--collection", "notes")
    hits = rpt("search", store, SENTENCE, "--owner", "bob", "--collection", "notes", "--json").json["hits"]
    assert {(h["owner"], h["collection"]) for h in hits} == {("bob", "notes")}
    rpt("search", store, SENTENCE, "--owner", "eve", code=1)
    rpt("add", store, "sea.txt", "--collection", "two")
    both = rpt("search", store, SENTENCE, "--collection", "default", "--collection", "two", "-k", "80", "--json").json
    assert {h["collection"] for h in both["hits"]} == {"default", "two"}


def test_complete_same_seed_same_text(rpt, store):
    words = ["complete", store, "--prompt", "the ship came", "--max-tokens", "24", "--temperature", "1", "--seed", "5"]
    a, b = rpt(*words, "--json").json, rpt(*words, "--json").json
    assert list(a)[:7] == ["text", "tokens", "finish", "seed", "first_token_ms", "total_ms", "retrievals"]
    assert a["text"] == b["text"] and a["seed"] == 5 and a["tokens"] == 24 and a["finish"] == "length"
    assert a["first_token_ms"] > 0 and a["total_ms"] >= a["first_token_ms"]
    assert rpt(*words).out.rstrip("\n") == a["text"].rstrip("\n")


def test_complete_fills_the_gap_before_a_suffix(rpt, store, tmp_path):
    (tmp_path / "after").write_text(SENTENCE)
    words = ["complete", store, "--prompt", "the ship came", "--max-tokens", "12", "--json"]
    plain = rpt(*words).json
    filled = rpt(*words, "--suffix", SENTENCE).json
    assert filled["tokens"] <= 12 and filled["text"] != plain["text"]
    assert filled["retrievals"]
    assert rpt(*words, "--suffix-file", "after").json["text"] == filled["text"]
    assert rpt(*words[:2], "--max-tokens", "12", "--json", "--suffix", SENTENCE,
               stdin=b"the ship came").json["text"] == filled["text"]
    assert rpt(*words, "--suffix", "").json["text"] == plain["text"]
    rpt(*words, "--suffix", SENTENCE, "--suffix-file", "after", code=2)
    rpt(*words, "--suffix-file", "missing", code=1)
    (tmp_path / "broken").write_bytes(b"calm \xff")
    err = rpt(*words, "--suffix-file", "broken", code=1).err
    assert '"broken": not UTF-8 at byte 5' in err and "iconv" in err


def test_complete_tells_what_shaped_it(rpt, store, text):
    words = ["complete", store, "--prompt", SENTENCE * 3, "--max-tokens", "40"]
    got = rpt(*words, "--json").json
    hits = [h for r in got["retrievals"] for h in r["hits"]]
    from_memory = [h for h in hits if not h["own"]]
    assert from_memory
    for hit in from_memory:
        assert hit["key"] == "sea.txt" and 0 <= hit["gate"] <= 1
        assert text.encode()[hit["begin"]:hit["end"]].decode(errors="replace") == hit["text"]
    assert [r["at_token"] for r in got["retrievals"]] == sorted(r["at_token"] for r in got["retrievals"])
    explained = rpt(*words, "--explain")
    assert "sea.txt [" in explained.err and "score" in explained.err and "gate" in explained.err
    assert "sea.txt [" not in explained.out


def test_complete_without_memory_retrieves_nothing(rpt, store):
    got = rpt("complete", store, "--prompt", SENTENCE * 5, "--max-tokens", "20", "--no-memory", "--json").json
    assert got["retrievals"] == []
    own = rpt("complete", "-", "--prompt", SENTENCE * 20, "--max-tokens", "20", "--json").json
    assert {h["own"] for r in own["retrievals"] for h in r["hits"]} <= {True}


def test_complete_reads_stdin_and_stops(rpt, store):
    free = rpt("complete", store, "--max-tokens", "30", "--json", stdin=b"the sea").json["text"]
    stop = free[5:7]
    got = rpt("complete", store, "--max-tokens", "30", "--stop", stop, "--json", stdin=b"the sea").json
    assert got["finish"] == "stop" and got["text"] == free[:free.index(stop)]


def test_complete_streams_and_is_cancelled_cleanly(rpt, store, models, tmp_path):
    child = subprocess.Popen([RPT, "complete", "mem", "--prompt", "the sea", "--max-tokens", "1000000", "--model",
                              str(models[0])], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = child.stdout.read(20)
    assert len(first) == 20
    child.send_signal(signal.SIGINT)
    _, err = child.communicate()
    assert child.returncode == 130, err
    assert rpt("search", store, "ship", "--json").json["hits"]


def test_complete_gives_up_in_time(rpt, store):
    start = time.monotonic()
    assert rpt("complete", store, "--prompt", "the sea", "--max-tokens", "1000000", "--timeout", "1500ms", code=1).err
    assert time.monotonic() - start < 60


def test_score_is_what_the_chunks_add_up_to(rpt, store, tmp_path):
    (tmp_path / "t.txt").write_text(SENTENCE * 12)
    got = rpt("score", store, "t.txt", "--by-chunk", "--json").json
    assert list(got)[:6] == ["tokens", "bytes", "nats", "perplexity", "bits_per_byte", "retrievals"]
    assert got["bytes"] == len(SENTENCE) * 12 and got["retrievals"] > 0
    assert got["perplexity"] == pytest.approx(math.exp(got["nats"] / got["tokens"]))
    assert got["bits_per_byte"] == pytest.approx(got["nats"] / math.log(2) / got["bytes"])
    assert sum(c["nats"] for c in got["chunks"]) == pytest.approx(got["nats"], rel=1e-6)
    assert sum(c["tokens"] for c in got["chunks"]) == got["tokens"]
    assert [c["begin"] for c in got["chunks"]] == [0] + [c["end"] for c in got["chunks"]][:-1]
    assert any(h["key"] == "sea.txt" for c in got["chunks"] for h in c["hits"])


def test_score_reads_as_many_neighbours_as_asked_for(rpt, store, tmp_path):
    (tmp_path / "t.txt").write_text(SENTENCE * 12)
    few, many = (rpt("score", store, "t.txt", "--by-chunk", "--neighbours", n, "--json").json for n in ("1", "5"))
    assert max(len(c["hits"]) for c in few["chunks"]) == 1
    assert max(len(c["hits"]) for c in many["chunks"]) == 5
    assert few["nats"] != many["nats"]
    assert "1024" in rpt("score", store, "t.txt", "--neighbours", "1025", code=2).err


def test_score_without_memory_needs_no_store(rpt, store, tmp_path):
    (tmp_path / "t.txt").write_text(SENTENCE * 12)
    none = rpt("score", store, "t.txt", "--no-memory", "--json").json
    assert none["retrievals"] == 0
    assert rpt("score", "-", "t.txt", "--no-memory", "--json").json == none
    own = rpt("score", "-", "-", "--json", stdin=(SENTENCE * 12).encode()).json
    assert own["tokens"] == none["tokens"] and own["nats"] != none["nats"]


def test_reading_with_another_model_is_refused(rpt, store):
    err = rpt("search", store, "ship", model=1, code=1).err
    assert len(err.splitlines()) == 1 and "model" in err


def test_reading_where_there_is_no_store_fails_and_makes_none(rpt, tmp_path):
    rpt("search", "nowhere", "ship", code=1)
    rpt("memory", "list", "nowhere", code=1)
    assert not (tmp_path / "nowhere").exists()


def test_ways_of_reading_are_chosen_by_name(rpt, store, tmp_path):
    (tmp_path / "t.txt").write_text("The ship was called Pequod. " * 30)
    usual = rpt("score", store, "t.txt", "--json").json
    assert rpt("score", store, "t.txt", "--read", "cca", "--json").json["nats"] == usual["nats"]
    assert "pointer keys" in rpt("score", store, "t.txt", "--read", "cca,copy", code=1).err
    assert "pointer keys" in rpt("complete", store, "--prompt", "The ship", "--read", "copy", code=1).err
    assert "upper layers" in rpt("score", store, "t.txt", "--read", "upper", code=1).err
    for wrong in ("", "cca,", "all", "copy,,cca"):
        assert "--read" in rpt("score", store, "t.txt", "--read", wrong, code=2).err


def test_complete_goes_on_behind_a_line_and_leaves_the_file_out(rpt, tmp_path):
    (tmp_path / "d").mkdir()
    lines = [f"line {i} of the file about islands\n" for i in range(1, 41)]
    (tmp_path / "d/own.txt").write_text("".join(lines))
    (tmp_path / "d/other.txt").write_text("another file about islands and harbours\n" * 20)
    rpt("add", "mem", "d")
    options = ["--json", "-n", "8", "--seed", "1"]
    cut = rpt("complete", "mem", "--file", "d/own.txt", "--line", "30", *options).json
    (tmp_path / "before.txt").write_text("".join(lines[:30]).removesuffix("\n"))
    keys = {hit["key"] for retrieval in cut["retrievals"] for hit in retrieval["hits"] if not hit["own"]}
    assert keys <= {"d/other.txt"}
    whole = rpt("complete", "mem", "--file", "before.txt", *options).json
    assert "d/own.txt" in {hit["key"] for retrieval in whole["retrievals"] for hit in retrieval["hits"]}
    # another form of the path is the same file
    assert rpt("complete", "mem", "--file", str(tmp_path / "d/own.txt"), "--line", "30", *options).json["text"] == cut["text"]
    assert "40 lines" in rpt("complete", "mem", "--file", "d/own.txt", "--line", "41", code=2).err
    rpt("complete", "mem", "--line", "3", "--prompt", "x", code=2)
