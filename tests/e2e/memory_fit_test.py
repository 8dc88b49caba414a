"""A memory fitted to a small frozen model and measured, as `rpt-lab memory` does it."""
import json
import random

import pytest

pytest.importorskip("gguf")

from experiment_test import WORDS, lab  # noqa: E402
from models_test import write_tiny  # noqa: E402


def corpus(path, documents, seed):
    """Each document says the same sentences again and again."""
    draw = random.Random(seed)
    with path.open("w") as out:
        for number in range(documents):
            sentences = [" ".join(draw.choice(WORDS) for _ in range(12)) for _ in range(12)]
            text = ". ".join(draw.choice(sentences) for _ in range(60))
            out.write(json.dumps({"id": f"{path.stem}{number}", "text": text}) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    write_tiny(folder / "tiny.gguf")
    words = ["--train", f"a={corpus(folder / 'train.jsonl', 3, 1)}", "--validation",
             f"a={corpus(folder / 'validation.jsonl', 1, 2)}", "--cache", folder / "cache", "--documents", "2",
             "--tokens", "1100", "--window", "128", "--width", "16", "--layer", "2", "--first-token", "300",
             "--every", "10", "--space-steps", "10", "--gate-rate", "0.1"]
    lines = [json.loads(line) for line in lab("memory", "fit", folder / "tiny.gguf", *words, "--steps", "20", "--out",
                                              folder / "tiny.memory.safetensors", "--json").splitlines()]
    return folder, words, lines


def test_memory_fit_chooses_what_is_best_on_validation(fitted):
    folder, words, lines = fitted
    steps = [line for line in lines if "step" in line]
    assert [line["step"] for line in steps] == [0, 10, 20]
    # it goes on from what it wrote, reads no document anew, and begins where it was best
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / "cache").iterdir()}
    assert len(kept) == 3
    again = lab("memory", "fit", folder / "tiny.gguf", *words, "--steps", "0", "--start",
                folder / "tiny.memory.safetensors", "--out", folder / "again.safetensors", "--json").splitlines()
    assert json.loads(again[0])["gain"] == pytest.approx(max(line["gain"] for line in steps), abs=1e-3)
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "cache").iterdir()} == kept


def test_memory_eval_tells_every_way_of_reading(fitted):
    folder, _, _ = fitted
    words = ["memory", "eval", folder / "tiny.gguf", "--test", f"a={folder / 'train.jsonl'}", "--cache", folder / "cache",
             "--documents", "2", "--tokens", "1100", "--window", "128", "--json"]
    (row,) = json.loads(lab(*words, "--first-token", "300", "--longer-window", "256"))
    assert row["documents"] == 2 and row["no memory"] > 1
    for way in ("own past", "own past, keys in four bits", "own past, followers mixed up", "another document in a space",
                "own past and that space", "no memory, longer window"):
        assert row[way]["low"] <= row[way]["difference"] <= row[way]["high"]
    assert row["own past"]["difference"] < row["own past, followers mixed up"]["difference"]
    # how far back: 10 tokens are less than all, and as many as there are is all of them
    (reached,) = json.loads(lab(*words, "--first-token", "300", "--reach", "10", "4000"))
    ten, all_of_it = reached["own past, 10 tokens back"], reached["own past, 4000 tokens back"]
    assert all_of_it["difference"] == pytest.approx(row["own past"]["difference"], abs=1e-4)
    assert all_of_it["difference"] < ten["difference"]
    (row,) = json.loads(lab(*words, "--halves"))
    assert row["first half in a space"]["difference"] < 0.1 and "both" in row and "own past" not in row


def test_memory_fit_reads_with_several_windows(fitted, tmp_path):
    folder, words, _ = fitted
    words = [tmp_path / "cache" if word == folder / "cache" else word for word in words]
    at = words.index("--window") + 1
    first = lab("memory", "fit", folder / "tiny.gguf", *words[:at], "128", "256", *words[at + 1:], "--steps", "0",
                "--out", tmp_path / "two.memory.safetensors", "--json").splitlines()[0]
    # two training documents, one each; the validation document twice
    assert [(loss["corpus"], loss["window"]) for loss in json.loads(first)["corpora"]] == [("a", 128), ("a", 256)]
    assert sorted(path.name.split("-")[-3] for path in (tmp_path / "cache").glob("a-train*")) == ["128", "256"]


def test_memory_read_compares_ways_of_reading(fitted):
    folder, _, _ = fitted
    words = ["memory", "read", folder / "tiny.gguf", "--test", f"a={folder / 'train.jsonl'}", "--documents", "2",
             "--tokens", "1000", "--first-token", "700", "--json"]
    ways = ["copy", "upper", "upper@1", "upper:nothing", "upper:bm25", "upper:oracle", "upper:random", "upper:4bit",
            "upper,copy", "text@1", "text@1:bm25", "text:nothing"]

    def read(*more, names=ways):
        named = [word for way in ["none", *names] for word in ("--way", way)]
        return json.loads(lab(*words, *named, *more))

    row = read("--twice")
    assert row["upper"]["time again"] > 0 and "time again" not in row["text@1"]
    assert row["documents"] == 2 and row["tokens"] == pytest.approx(600, abs=20) and row["milliseconds a token"] > 0
    for way in ways:
        assert row[way]["low"] <= row[way]["difference"] <= row[way]["high"] and row[way]["time"] > 0, way
    assert row["upper:nothing"]["difference"] == pytest.approx(0, abs=1e-4)
    assert row["copy"]["difference"] < 0
    differences = [row[way]["difference"] for way in ways]
    assert len(set(differences[:9])) == 9  # the way text has no room for a chunk in so small a window
    # products in bf16 tell the same story; so do halves that meet where they met before
    rounded = read("--bf16", names=["copy", "upper"])
    assert rounded["nats"] == pytest.approx(row["nats"], abs=0.03)
    assert rounded["copy"]["difference"] == pytest.approx(row["copy"]["difference"], abs=0.03)
    split = read("--split", "1", names=["copy", "upper"])
    assert row["split"] == split["split"] == 1 and split["nats"] == row["nats"]
    assert split["upper"]["difference"] == row["upper"]["difference"]


def test_memory_read_refuses_what_it_cannot_do(fitted):
    folder, _, _ = fitted
    words = ["memory", "read", folder / "tiny.gguf", "--test", f"a={folder / 'train.jsonl'}"]
    for wrong, told in ((["--way", "uper"], "--way"), (["--way", "copy@3"], "@"), (["--way", "upper:best"], "bm25"),
                        (["--split", "99"], "--split 99"), (["--tokens", "100000", "--first-token", "64"], "--tokens"),
                        (["--way", "cca", "--tokens", "1000", "--first-token", "500"], "cross-attention"),
                        (["--tokens", "500", "--first-token", "500"], "--first-token")):
        err = lab(*words, *wrong, code=1)
        assert told in err and len(err.splitlines()) == 1, err


def test_memory_fit_refuses_what_it_cannot_use(fitted, tmp_path):
    folder, words, _ = fitted
    at = words.index("--layer") + 1
    err = lab("memory", "fit", folder / "tiny.gguf", *words[:at], "3", *words[at + 1:], "--out", tmp_path / "x", code=1)
    assert "--layer 3" in err and len(err.splitlines()) == 1
    err = lab("memory", "fit", folder / "tiny.gguf", *words, "--start", folder / "tiny.gguf", "--out", tmp_path / "x", code=1)
    assert len(err.splitlines()) == 1 and not (tmp_path / "x").exists()
    err = lab("memory", "eval", folder / "tiny.gguf", "--test", "a", "--cache", tmp_path / "c", code=1)
    assert "NAME=FILE" in err
    for window in ("200", "129"):
        err = lab("memory", "eval", folder / "tiny.gguf", "--test", "a=b", "--cache", tmp_path / "c", "--window", window, code=1)
        assert f"window of {window} tokens: give a multiple of 128" in err and len(err.splitlines()) == 1
    err = lab("memory", "row", folder / "tiny.memory.safetensors", "--train", "a", "--validation", "b", "--out", "c", code=1)
    assert "is a memory file" in err and len(err.splitlines()) == 1
    (tmp_path / "file").write_text("")
    err = lab("memory", "eval", folder / "tiny.gguf", "--test", "a=b", "--cache", tmp_path / "file" / "c", code=1)
    assert "cannot create" in err and len(err.splitlines()) == 1
    for few in (["--tokens", "1100", "--first-token", "1100"], ["--tokens", "1024", "--window", "512", "--halves"]):
        err = lab("memory", "eval", folder / "tiny.gguf", "--test", f"a={folder / 'train.jsonl'}", "--cache", tmp_path / "c",
                  "--documents", "1", *few, code=1)
        assert "--first-token" in err and len(err.splitlines()) == 1
