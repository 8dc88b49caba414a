"""Draws a training log: python apps/rpt-lab/report/plot_log.py RUN/log.jsonl OUT.png (needs matplotlib)."""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plot

lines = [json.loads(line) for line in open(sys.argv[1])]
steps = [line for line in lines if "loss" in line]
checks = [line for line in lines if line.get("event") == "validation"]
plot.figure(figsize=(7, 4))
plot.plot([s["step"] for s in steps], [s["loss"] for s in steps], lw=0.7, color="0.6", label="training (one batch)")
plot.plot([c["step"] for c in checks], [c["own"] for c in checks], "o-", label="validation, own neighbours")
plot.plot([c["step"] for c in checks], [c["none"] for c in checks], "s--", label="validation, no neighbours")
plot.xlabel("step")
plot.ylabel("nats a token")
plot.legend()
plot.tight_layout()
plot.savefig(sys.argv[2], dpi=110)
