"""Every trained system side by side, beside the paper's figures: tables, plots and a page.

    python apps/rpt-lab/report/report.py RUNS --out OUT --speed RUNS/speed.json    # from runs
    python apps/rpt-lab/report/report.py --from OUT/report.json --out OUT          # tables and plots again

RUNS holds a folder NAME.SEED for every training, with config.json, log.jsonl and test.json or test.json.zst
(configs/run_rows.sh makes them). Numbers are gathered once into OUT/report.json; `rpt-lab compare` computes differences
and their intervals. Tables (OUT/tables.md), plots (PNG, need matplotlib) and OUT/index.html follow from report.json
alone. paper.json beside this program lists the systems in the paper's order, with the paper's figures.
"""
import argparse
import json
import pathlib
import sys

from gather import gather
from runs import ReportError, read_json
from tables import markdown

HERE = pathlib.Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(prog="report.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", help="folder of NAME.SEED folders")
    parser.add_argument("--from", dest="numbers", metavar="FILE", help="a report.json instead of runs")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="gets report.json, tables.md, plots, index.html")
    parser.add_argument("--paper", type=pathlib.Path, default=HERE / "paper.json", help="systems and the paper's figures")
    parser.add_argument("--lab", default=str(HERE.parents[2] / "build/release/bin/rpt-lab"), help="the program rpt-lab")
    parser.add_argument("--baseline", default="transformer_xl", help="what the others are compared with")
    parser.add_argument("--second-baseline", default="retro", help="a second one, if the folder has it")
    parser.add_argument("--speed", help="output of `rpt-lab speed --json`, for the column time")
    parser.add_argument("--setting", default="", help="a sentence on data, tokens and machine, above the tables")
    parser.add_argument("--resamples", type=int, default=10000, help="of the bootstrap")
    parser.add_argument("--no-plots", action="store_true", help="tables alone; needs no matplotlib")
    chosen = parser.parse_args()
    if (chosen.runs is None) == (chosen.numbers is None):
        parser.error("name a folder of runs, or a report.json with --from")
    return chosen


def main():
    chosen = arguments()
    paper = read_json(chosen.paper)
    if "systems" not in paper:
        raise ReportError(f'"{chosen.paper}" is not the paper\'s list of systems')
    if chosen.numbers:
        report = read_json(pathlib.Path(chosen.numbers))
        if "corpora" not in report:
            raise ReportError(f'"{chosen.numbers}" is no report.json')
    else:
        report = gather(chosen.runs, paper, lab=chosen.lab, baseline=chosen.baseline, second=chosen.second_baseline,
                        resamples=chosen.resamples, speed=chosen.speed, setting=chosen.setting)
    chosen.out.mkdir(parents=True, exist_ok=True)
    if not chosen.numbers:
        (chosen.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (chosen.out / "tables.md").write_text(markdown(report, paper))
    if not chosen.no_plots:
        try:
            from draw import draw
        except ImportError as error:
            raise ReportError(f"no plots: {error}; the tables are written. Install matplotlib or pass --no-plots") from error
        draw(report, paper, chosen.out)


if __name__ == "__main__":
    try:
        main()
    except (ReportError, OSError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        sys.exit(1)
