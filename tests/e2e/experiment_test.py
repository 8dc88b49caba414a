"""The road of an experiment as `rpt-lab` walks it: tokenizer, shards, training, evaluation, comparison, report."""
import json
import math
import os
import pathlib
import random
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ.get("RPT_LAB_PROGRAM", "rpt-lab")
WORDS = "sea ship captain wind star water salt calm storm sail rope mast shore gull tide anchor".split()


def lab(*arguments, code=0):
    done = subprocess.run([LAB, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def corpus(path, documents, seed):
    draw = random.Random(seed)
    with path.open("w") as out:
        for number in range(documents):
            text = " ".join(draw.choice(WORDS) for _ in range(900))
            out.write(json.dumps({"id": f"{path.stem}{number}", "text": text}) + "\n")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Rows with two seeds, a few steps each, evaluated on the same documents: the script that users run."""
    folder = tmp_path_factory.mktemp("experiment")
    shards = {"train": corpus(folder / "train.jsonl", 6, 1)}
    for seed, name in enumerate(("math", "code", "pg19"), 2):
        shards[f"{name}.test"] = corpus(folder / f"{name}.jsonl", 2, seed)
    lab("tokenizer", "train", shards["train"], "--vocab", 300, "--out", folder / "tokenizer.json", "--quiet")
    for name, text in shards.items():
        lab("data", "prepare", f"{name.split('.')[0]}={text}", "--tokenizer", folder / "tokenizer.json", "--out",
            folder / f"{name}.shard", "--quiet")
    tier = {"model": {"vocab": 300, "dim": 16, "n_lower": 1, "n_upper": 1, "n_heads": 1, "n_kv_heads": 1,
                      "head_dim": 16, "ffn_dim": 32, "chunk": 16, "stride": 32, "cca_layers": [-1], "augment": False},
            "data": [{"shard": "train.shard"}], "validation": ["math.test.shard"],
            "train": {"steps": 4, "batch_documents": 1, "length": 512, "threads": 1, "log_every": 1,
                      "validate_every": 2, "validate_samples": 1}}
    (folder / "tier.json").write_text(json.dumps(tier))
    script = [ROOT / "configs/run_rows.sh", folder / "tier.json", folder, folder / "runs", "transformer_xl", "rpt_sem",
              "retro"]
    done = subprocess.run(["sh", *map(str, script)], capture_output=True, text=True, timeout=600, env={
        **os.environ, "LAB": LAB, "SEEDS": "1 2", "TOKENS": "1024", "DPR_STEPS": "2", "TOP": "2", "TEST_TOP": "2"})
    assert done.returncode == 0, done.stderr
    return folder / "runs"


def report(*arguments, code=0):
    """The report program; returns its only output, the error line."""
    done = subprocess.run([sys.executable, ROOT / "apps/rpt-lab/report/report.py", *map(str, arguments)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout == ""
    return done.stderr


def evaluation(run):
    done = subprocess.run(["zstd", "-dcq", run / "test.json.zst"], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


def cells(tables, title):
    """Rows of a table of tables.md, as lists of cells."""
    lines = tables.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]


def test_experiment_report_sets_measured_systems_beside_the_paper(runs, tmp_path):
    out = tmp_path / "results"
    report(runs, "--out", out, "--lab", LAB, "--resamples", 200, "--setting", "a test")
    numbers = json.loads((out / "report.json").read_text())
    assert {s["name"]: len(s["curves"]) for s in numbers["systems"]} == {"transformer_xl": 2, "rpt_sem": 2, "retro": 2}
    assert set(numbers["corpora"]) == {"math", "code", "pg19"}
    tables = (out / "tables.md").read_text()
    assert "| RPT-Sem | 2 |" in tables and "| Griffin | not run here |" in tables
    # every perplexity is the mean of both seeds' nats, here summed from the documents
    by_label = {row[0]: row for row in cells(tables, "Perplexity (table 2 of the paper)")}
    for column, corpus in enumerate(sorted(numbers["corpora"])):
        nats = {}
        for name in ("transformer_xl", "rpt_sem"):
            means = []
            for seed in (1, 2):
                read = evaluation(runs / f"{name}.{seed}")
                documents = [d for d in read["raw"] if d["collection"] == corpus]
                tokens = sum(d["tokens"] for d in documents)
                means.append(sum(d["rows"][read["usual_row"]]["nats"] * d["tokens"] for d in documents) / tokens)
            nats[name] = sum(means) / 2
        at = 4 + 3 * column
        assert float(by_label["RPT-Sem"][at]) == pytest.approx(math.exp(nats["rpt_sem"]), abs=0.006)
        difference = 100 * (math.exp(nats["rpt_sem"] - nats["transformer_xl"]) - 1)
        assert float(by_label["RPT-Sem"][at + 1].split(" %")[0]) == pytest.approx(difference, abs=0.06)
    swapped = cells(tables, "Neighbours swapped")
    assert [row[:2] for row in swapped] == [[c, s] for c in ("code", "math", "pg19") for s in ("RETRO + BM25", "RPT-Sem")]
    without = [evaluation(runs / f"retro.{seed}")["collections"]["code"]["rows"]["none"]["nats"] for seed in (1, 2)]
    assert float(swapped[0][2]) == pytest.approx(math.exp(sum(without) / 2), abs=0.006)
    against_retro = {row[0]: row[1:] for row in cells(tables, "Perplexity against RETRO + BM25")}
    assert "(-4.2 %)" in against_retro["RPT-Sem"][2] and "Griffin" not in against_retro
    page = (out / "index.html").read_text()
    assert "<table>" in page and "data:image/png;base64," in page and "http" not in page
    assert (out / "loss_curves.png").read_bytes().startswith(b"\x89PNG")
    report("--from", out / "report.json", "--out", tmp_path / "again", "--no-plots")
    assert (tmp_path / "again/tables.md").read_text() == tables


def test_experiment_report_refuses_what_it_cannot_compare(runs, tmp_path):
    assert "no NAME.SEED folder" in report(tmp_path, "--out", tmp_path / "x", code=1)
    error = report(runs, "--out", tmp_path / "x", "--lab", LAB, "--baseline", "griffin", code=1)
    assert "griffin" in error and len(error.strip().splitlines()) == 1
    error = report(runs, "--out", tmp_path / "x", "--lab", tmp_path / "no-such-program", code=1)
    assert "--lab" in error and len(error.strip().splitlines()) == 1
    report("--out", tmp_path / "x", code=2)


def test_experiment_compare_gives_the_difference_of_the_means(runs):
    said = json.loads(lab("compare", f"txl={runs}/transformer_xl.1/test.json.zst",
                          f"rpt={runs}/rpt_sem.1/test.json.zst", "--resamples", 100, "--json"))
    txl, rpt = said["systems"]
    assert rpt["difference"]["nats"] == pytest.approx(rpt["nats"] - txl["nats"], abs=1e-6)


def test_experiment_script_scores_for_the_pool_rule_of_the_row(runs):
    script = [ROOT / "configs/run_rows.sh", runs.parent / "tier.json", runs.parent, runs, "reference_compat"]
    done = subprocess.run(["sh", *map(str, script)], capture_output=True, text=True, timeout=600, env={
        **os.environ, "LAB": LAB, "SEEDS": "1", "TOKENS": "1024", "DPR_STEPS": "2", "TOP": "2", "TEST_TOP": "2"})
    assert done.returncode == 0, done.stderr
    assert (runs / "reference_compat.1/test.json.zst").exists()
    assert (runs.parent / "targets.window_start.cache").exists() and (runs.parent / "targets.cache").exists()


def test_experiment_rows_get_a_pointer_beside_their_figures(runs, tmp_path):
    data = runs.parent
    for name in ("math", "code", "books"):
        for part, source in (("train", "train"), ("validation", "math.test")):
            for end in ("", ".json"):
                (data / f"{name}.{part}.shard{end}").write_bytes((data / f"{source}.shard{end}").read_bytes())
    done = subprocess.run(["sh", ROOT / "configs/run_pointers.sh", data, runs, "transformer_xl", "retro"], capture_output=True,
                          text=True, timeout=600, env={
                              **os.environ, "LAB": LAB, "TOKENS": "512", "WIDTH": "8", "SPANS": "2",
                              "VALIDATION_SPANS": "1", "STEPS": "4", "EVERY": "2", "BLOCKS": "1"})
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in (runs / "retro.1/fit.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == [0, 2, 4] and set(steps[0]["corpora"]) == {"math"}
    kept = tmp_path / "rows.json"
    made = subprocess.run([sys.executable, ROOT / "apps/rpt-lab/report/pointer_tables.py", runs, "transformer_xl", "retro",
                           "--lab", LAB, "--resamples", "50", "--keep", kept], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    numbers = json.loads(kept.read_text())
    assert set(numbers) == {"math", "code", "pg19"}
    retro = numbers["code"]["retro"]
    assert retro["gain"]["nats"] == pytest.approx(retro["with"]["nats"] - retro["without"]["nats"], abs=1e-6)
    assert "difference" not in numbers["code"]["transformer_xl"]["without"]
    # another model's pointer is refused, and so is a layer below the upper half
    error = lab("eval", runs / "retro.1/checkpoint.safetensors", data / "math.test.shard", "--pointer",
                runs / "transformer_xl.1/pointer.safetensors", code=1)
    assert "another model" in error and len(error.splitlines()) == 1
    error = lab("memory", "row", runs / "retro.1/checkpoint.safetensors", "--train", data / "train.shard", "--validation",
                data / "train.shard", "--tokens", "512", "--width", "8", "--layer", "3", "--out", tmp_path / "x", code=1)
    assert "--layer 3" in error and len(error.splitlines()) == 1
