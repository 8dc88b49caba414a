"""The report program on evaluations written by hand, whose figures are known."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ.get("RPT_LAB_PROGRAM", "rpt-lab")


def report(*arguments, code=0):
    """Returns the error line, the program's only output."""
    done = subprocess.run([sys.executable, ROOT / "apps/rpt-lab/report/report.py", *map(str, arguments), "--no-plots",
                           "--lab", LAB], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout == "" and len(done.stderr.splitlines()) == (0 if code == 0 else 1)
    return done.stderr


def write_run(folder, usual, rows, corpora=("math",)):
    """A run with two documents of 100 tokens a corpus; `rows`: nats a token."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"train": {"batch_documents": 2, "length": 50}}))
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (
        {"event": "start", "parameters": 1_500_000}, {"step": 1, "loss": 3.0, "tokens_per_second": 100, "gemm_share": 0.5},
        {"step": 2, "loss": 2.0, "tokens_per_second": 300, "gemm_share": 0.3}, {"event": "validation", "step": 2, "own": 2.5})))
    documents = [{"id": f"{corpus}{n}", "collection": corpus, "tokens": 100, "bytes": 400,
                  "rows": {row: {"nats": nats} for row, nats in rows.items()}} for corpus in corpora for n in (1, 2)]
    part = {"rows": {row: {"nats": nats} for row, nats in rows.items()}}
    evaluation = {**part, "usual_row": usual, "chunk": 32, "raw": documents}
    if len(corpora) > 1:
        evaluation["collections"] = {corpus: part for corpus in corpora}
    (folder / "test.json").write_text(json.dumps(evaluation))


def cells(out, title):
    text = (out / "tables.md").read_text().split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return {row[0]: row for row in ([cell.strip() for cell in line.strip("|").split("|")]
                                    for line in text.splitlines() if line.startswith("|"))}


def test_report_of_one_corpus_has_the_figures_of_its_documents(tmp_path):
    write_run(tmp_path / "runs/transformer_xl.1", "none", {"none": 2.0})
    write_run(tmp_path / "runs/rpt_sem.1", "own", {"own": 1.5, "none": 2.25})
    report(tmp_path / "runs", "--out", tmp_path / "out")
    table = cells(tmp_path / "out", "Perplexity (table 2 of the paper)")
    # e^2 and e^1.5; every document differs by half a nat, so the interval has no width: e^-0.5 - 1
    assert table["Transformer-XL"][:5] == ["Transformer-XL", "1", "1.50 M", "", "7.39"]
    assert table["RPT-Sem"][4:7] == ["4.48", "-39.3 % [-39.3, -39.3]", "-10.9 %"]
    numbers = json.loads((tmp_path / "out/report.json").read_text())
    trained = {system["name"]: system for system in numbers["systems"]}["rpt_sem"]
    assert trained["steps"] == 2 and trained["training_tokens"] == 200 and trained["tokens_per_second"] == [200]
    assert trained["curves"] == [{"tokens": [200], "loss": [2.5]}]
    swapped = cells(tmp_path / "out", "Neighbours swapped")["math"]
    assert swapped == ["math", "RPT-Sem", "9.49", "", "", "4.48", "", "", ""]


def test_report_takes_means_over_the_seeds_that_have_a_row(tmp_path):
    write_run(tmp_path / "runs/transformer_xl.1", "none", {"none": 2.0}, ("code", "math"))
    write_run(tmp_path / "runs/rpt_sem.1", "own", {"own": 1.0, "own@4": 0.5}, ("code", "math"))
    write_run(tmp_path / "runs/rpt_sem.2", "own", {"own": 2.0}, ("code", "math"))
    report(tmp_path / "runs", "--out", tmp_path / "out", "--resamples", 50)
    table = cells(tmp_path / "out", "Perplexity (table 2 of the paper)")
    assert table["RPT-Sem"][1] == "2" and table["RPT-Sem"][4] == table["RPT-Sem"][7] == "4.48"  # e^1.5
    assert table["RPT-Sem, 4 neighbours"][1] == "1" and table["RPT-Sem, 4 neighbours"][4] == "1.65"  # e^0.5
    assert table["RPT-Sem, 3 neighbours"][1] == "not run here"
    assert "## Perplexity against" not in (tmp_path / "out/tables.md").read_text()  # RETRO was not trained


@pytest.mark.parametrize("spoil, says", [
    (lambda run: (run / "test.json").write_text("{}"), "not what rpt-lab eval --out writes"),
    (lambda run: (run / "test.json").write_text("["), "cannot be read as JSON"),
    (lambda run: (run / "test.json").rename(run / "test.json.zst"), "is not zstd data"),
    (lambda run: (run / "log.jsonl").write_text("no log"), "is no training log"),
    (lambda run: (run / "config.json").write_text("{}"), "is no training configuration"),
    (lambda run: (run / "config.json").unlink(), "is not there"),
], ids=["no-evaluation", "no-json", "no-zstd", "no-log", "no-training", "no-config"])
def test_report_names_the_file_that_is_wrong(tmp_path, spoil, says):
    write_run(tmp_path / "runs/transformer_xl.1", "none", {"none": 2.0})
    write_run(tmp_path / "runs/rpt_sem.1", "own", {"own": 1.5})
    spoil(tmp_path / "runs/rpt_sem.1")
    error = report(tmp_path / "runs", "--out", tmp_path / "out", code=1)
    assert says in error and "rpt_sem.1" in error


def test_report_refuses_other_documents_and_a_baseline_alone(tmp_path):
    write_run(tmp_path / "runs/transformer_xl.1", "none", {"none": 2.0})
    assert "nothing to compare" in report(tmp_path / "runs", "--out", tmp_path / "out", code=1)
    write_run(tmp_path / "runs/rpt_sem.1", "own", {"own": 1.5}, ("code",))
    assert "read other text" in report(tmp_path / "runs", "--out", tmp_path / "out", code=1)
