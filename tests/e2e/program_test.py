import json
import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = [["add"], ["search"], ["complete"], ["score"], ["chat"], ["bench"], ["memory", "list"], ["memory", "stat"],
            ["memory", "show"], ["memory", "delete"], ["memory", "drop"], ["memory", "rebuild-index"],
            ["model", "info"], ["model", "import"], ["model", "list"]]


@pytest.mark.parametrize("command", [[], ["memory"], ["model"], *COMMANDS], ids=" ".join)
def test_program_help_has_an_example(rpt, command):
    out = rpt(*command, "--help", model=0, code=0).out
    assert "Example:\n  " in out and "rpt " + " ".join(command) in out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_program_options_are_completed_and_documented(rpt, command):
    options = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", rpt(*command, "--help").out, re.M))
    assert len(options) > 2
    folder = ROOT / "apps/rpt/completion"
    fish, zsh, bash = ((folder / n).read_text() for n in ("rpt.fish", "_rpt", "rpt.bash"))
    manual = (ROOT / "docs/cli.md").read_text()
    for option in options:
        assert f"-l {option[2:]}" in fish, option
        assert option in zsh and option in bash, option
        assert option in manual, option


def test_program_version_tells_build_facts(rpt):
    out = rpt("--version").out
    assert re.match(r"rpt \d+\.\d+\.\d+\n", out)
    assert isinstance(json.loads(out.splitlines()[1]), dict)
    assert rpt("--version", "--json").json["build"]


@pytest.mark.parametrize("words", [[], ["frobnicate"], ["memory"], ["search", "m", "q", "-k", "0"],
                                   ["search", "m", "q", "--timeout", "3y"], ["bench", "--tokens", "much"]], ids=" ".join)
def test_program_wrong_usage_exits_with_2(rpt, words):
    answer = rpt(*words, code=2)
    assert answer.out == "" and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("words", [["add", "m", "-", "--key", ""], ["add", "m", "-", "--key="], ["add", "", "f"],
                                   ["memory", "delete", "m", ""], ["memory", "list", "m", "--owner="],
                                   ["search", "m", ""], ["model", "info", "-m", ""]], ids=" ".join)
def test_program_an_empty_value_is_a_mistake(rpt, tmp_path, words):
    assert "empty" in rpt(*words, code=2).err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("code, words, name", [
    (2, ["add", "m", "--json"], "USAGE"),
    (2, ["memory", "budget", "m", "much", "--json"], "USAGE"),
    (1, ["add", "m", "missing.txt", "--json"], None),
    (1, ["memory", "list", "nowhere", "--json"], "NOT_FOUND"),
    (1, ["search", "nowhere", "ship", "--json"], "NOT_FOUND"),
    (1, ["model", "info", "missing.safetensors", "--json"], "NOT_FOUND"),
    (1, ["score", "-", "missing.txt", "--json"], None),
    (1, ["memory", "stat", "file", "--json"], None),
], ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_program_an_error_is_an_object_too(rpt, tmp_path, code, words, name):
    (tmp_path / "file").write_text("no memory")
    answer = rpt(*words, code=code)
    error = answer.json["error"]
    assert answer.err.endswith(f"rpt: {error['message']}\n")
    assert error["code"] == name or name is None and error["code"]


def test_program_seeds_survive_readers_that_know_doubles_only(rpt, store):
    for _ in range(3):
        seed = rpt("complete", store, "--prompt", "sea", "-n", "1", "-t", "1", "--json").json["seed"]
        assert 0 < seed < 2**53
    assert rpt("complete", store, "--prompt", "sea", "-n", "1", "--seed", str(2**53 - 1), "--json").json["seed"] == 2**53 - 1
    rpt("complete", store, "--prompt", "sea", "--seed", str(2**53), code=2)


def test_program_model_info_describes_a_package(rpt, models):
    got = rpt("model", "info", models[0], "--json").json
    assert got["chunk_tokens"] == 8 and got["window_tokens"] == 32 and got["key_dim"] == 32
    assert len(got["fingerprint"]) == 64 and got["parameters"] > 0
    other = rpt("model", "info", "--model", models[1], "--json").json
    assert other["fingerprint"] != got["fingerprint"]
    assert got["fingerprint"] in rpt("model", "info", models[0]).out
    wide = rpt("model", "info", models[0].parent / "wide_keys.safetensors").out
    assert "of width 32, keys of 48 numbers" in wide


def test_program_missing_model_says_where_it_looked(rpt):
    err = rpt("model", "info", "no-such-model", code=1).err
    assert "no-such-model" in err and "--model" in err


def test_program_broken_model_is_one_line(rpt, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    assert len(rpt("model", "info", "m.safetensors", code=1).err.splitlines()) == 1


def test_program_full_output_fails(rpt, store, models):
    import subprocess
    from conftest import RPT
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w") as full:
        done = subprocess.run([RPT, "--version"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"stdout" in done.stderr


def test_program_shipped_models_open(rpt):
    shipped = sorted((ROOT / "models").glob("*.safetensors"))
    memories = [path for path in shipped if path.name.endswith(".memory.safetensors")]
    assert memories
    for memory in memories:
        assert "open the model beside it" in rpt("model", "info", memory, code=1).err
    for model in sorted(set(shipped) - set(memories)):
        assert rpt("model", "info", model, "--json").json["parameters"] > 0


def test_program_bench_measures_each_figure(rpt, tmp_path, text):
    (tmp_path / "book.txt").write_text(text * 4)
    got = rpt("bench", "--tokens", "3k", "--quick", "--text", "book.txt", "--json").json
    assert got["ingest"]["tokens"] >= 3000
    for group in ("ingest", "decode"):
        assert got[group]["tokens_per_second"] > 0 and got[group]["bound_tokens_per_second"] > 0
    assert got["first_token"]["ms"] > 0 and got["open"]["ms"] > 0 and got["disk"]["bytes_per_token"] > 0
    assert got["search"][0]["p95_ms"] >= got["search"][0]["p50_ms"] > 0
    table = rpt("bench", "--tokens", "3k", "--quick", "--text", "book.txt").out
    for name in ("ingest", "decode", "first token", "search", "open", "disk"):
        assert re.search(rf"^{name} ", table, re.M)
