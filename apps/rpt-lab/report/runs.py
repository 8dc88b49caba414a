"""A folder of trained and evaluated systems, read for the report.

RUNS/NAME.SEED/ holds config.json and log.jsonl of `rpt-lab train`, and test.json or test.json.zst of
`rpt-lab eval --out`.
"""
import json
import pathlib
import statistics
import subprocess


class ReportError(Exception):
    """One line for the user: what failed, on what, why, what to try."""


def read_json(path):
    """A JSON object, plain or compressed (.zst, by the command zstd)."""
    try:
        if path.suffix == ".zst":
            done = subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True)
            value = json.loads(done.stdout)
        else:
            value = json.loads(path.read_text())
    except FileNotFoundError as error:
        missing = "the command zstd" if error.filename == "zstd" else f'"{path}"'
        raise ReportError(f"{missing} is not there") from error
    except subprocess.CalledProcessError as error:
        raise ReportError(f'"{path}" is not zstd data; evaluate again') from error
    except (ValueError, OSError) as error:
        raise ReportError(f'"{path}" cannot be read as JSON: {error}') from error
    if not isinstance(value, dict):
        raise ReportError(f'"{path}" holds no JSON object')
    return value


def training_of(folder, seed, evaluation_file):
    """What the report needs of one training: log and evaluation."""
    train = read_json(folder / "config.json").get("train")
    evaluation = read_json(evaluation_file)
    if train is None:
        raise ReportError(f'"{folder}/config.json" is no training configuration')
    if "rows" not in evaluation or "raw" not in evaluation:
        raise ReportError(f'"{evaluation_file}" is not what rpt-lab eval --out writes; evaluate again')
    step_tokens = train.get("batch_documents", 0) * train.get("length", 0)
    try:
        log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    except (ValueError, OSError) as error:
        raise ReportError(f'"{folder}/log.jsonl" is no training log: {error}') from error
    timed = [line for line in log if "tokens_per_second" in line]
    checks = [line for line in log if line.get("event") == "validation"]
    steps = max((line.get("step", 0) for line in log), default=0)
    return {
        "seed": seed, "file": evaluation_file, "evaluation": evaluation, "steps": steps,
        "training_tokens": steps * step_tokens,
        "parameters": next((line["parameters"] for line in reversed(log) if "parameters" in line), 0),
        "tokens_per_second": statistics.median([line["tokens_per_second"] for line in timed] or [0]),
        "gemm_share": statistics.median([line.get("gemm_share", 0) for line in timed] or [0]),
        "curve": {"tokens": [line["step"] * step_tokens for line in checks], "loss": [line["own"] for line in checks]},
    }


def read_runs(folder):
    """Trainings by configuration, seeds ascending. A training without an evaluation is left out."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ReportError(f'there is no folder "{folder}"')
    found = {}
    for run in folder.iterdir():
        name, dot, seed = run.name.rpartition(".")
        evaluations = [run / file for file in ("test.json", "test.json.zst") if (run / file).exists()]
        if dot and seed.isdigit() and evaluations:
            found.setdefault(name, []).append(training_of(run, int(seed), evaluations[0]))
    if not found:
        raise ReportError(f'"{folder}" holds no NAME.SEED folder with a test.json; train and evaluate first')
    return {name: sorted(found[name], key=lambda training: training["seed"]) for name in sorted(found)}
