"""Draws docs/results/frozen/ways.png: what each way of reading gains, and what it costs.

    python apps/rpt-lab/report/ways_plot.py        # needs matplotlib
"""
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import frozen_tables  # noqa: E402
from draw import STYLE, legend_below  # noqa: E402

RESULTS = pathlib.Path(__file__).resolve().parents[3] / "docs/results"
# label and the ways that a line joins, in the order of K
LINES = {"copy": ["copy"], "upper, K 1 to 16": [f"upper@{k}" for k in (1, 2, 4, 8, 16)],
         "upper + copy, K 2 and 8": [f"upper,copy@{k}" for k in (2, 8)], "text, K 1": ["text@1"]}


def draw(rows, path):
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, len(rows), figsize=(4.2 * len(rows), 3.4))
    for axis, row in zip(axes, rows):
        for label, ways in LINES.items():
            known = [row[way] for way in ways if way in row]
            axis.errorbar([way["time"] for way in known], [-way["difference"] for way in known],
                          yerr=[[way["high"] - way["difference"] for way in known],
                                [way["difference"] - way["low"] for way in known]], marker="o", capsize=2, label=label)
        axis.axhline(0, color="black", lw=0.8)
        axis.set_xscale("log", base=2)
        axis.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        axis.set_title(frozen_tables.CORPORA[row["corpus"]])
        axis.set_xlabel("time, no memory = 1")
    axes[0].set_ylabel("gain, nats a token")
    legend_below(figure, {row["corpus"]: (axis, row) for axis, row in zip(axes, rows)})
    figure.tight_layout()
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    draw(frozen_tables.ways_rows(RESULTS)[0], RESULTS / "frozen/ways.png")
