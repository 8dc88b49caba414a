"""The tables of the results follow from the numbers that are kept, by one command; raw outputs stay out of the tree."""
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "apps/rpt-lab/report/results_pages.py"


def results_pages(docs, *arguments):
    return subprocess.run([sys.executable, PROGRAM, "--docs", docs, *arguments], capture_output=True, text=True, timeout=300)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "docs/results", tmp_path / "results")
    shutil.copy(ROOT / "docs/results.md", tmp_path)
    return tmp_path


def test_results_tables_are_what_the_numbers_make():
    done = results_pages(ROOT / "docs", "--check")
    assert done.returncode == 0, done.stderr


def test_results_check_notices_a_number_that_changed(copy):
    file = copy / "results/systems/report.json"
    report = json.loads(file.read_text())
    report["corpora"]["math"]["systems"]["rpt_sem"]["difference"]["nats"] += 0.01
    file.write_text(json.dumps(report))
    done = results_pages(copy, "--check")
    assert done.returncode == 1
    assert "results.md" in done.stderr and "tables.md" in done.stderr and "proofs.md" not in done.stderr
    assert results_pages(copy).returncode == 0
    assert "| RPT-Sem | 2 | -14.7 %" in (copy / "results.md").read_text()
    assert results_pages(copy, "--check").returncode == 0


def test_results_stay_under_one_megabyte():
    files = [file for file in (ROOT / "docs/results").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_000_000
    assert {file.suffix for file in files} <= {".md", ".json", ".png"}
