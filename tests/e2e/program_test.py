import json
import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = [["add"], ["search"], ["complete"], ["score"], ["bench"], ["memory", "list"], ["memory", "stat"],
            ["memory", "show"], ["memory", "delete"], ["memory", "drop"], ["memory", "rebuild-index"],
            ["model", "info"]]


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


def test_program_model_info_describes_a_package(rpt, models):
    got = rpt("model", "info", models[0], "--json").json
    assert got["chunk_tokens"] == 8 and got["window_tokens"] == 32 and got["key_dim"] == 32
    assert len(got["fingerprint"]) == 64 and got["parameters"] > 0
    other = rpt("model", "info", "--model", models[1], "--json").json
    assert other["fingerprint"] != got["fingerprint"]
    assert got["fingerprint"] in rpt("model", "info", models[0]).out


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
    for model in sorted((ROOT / "models").glob("*.safetensors")):
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
