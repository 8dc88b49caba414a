"""The plots of a report as PNG files, and one HTML page with tables and plots in it that needs no network."""
import base64
import html

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import tables  # noqa: E402

STYLE = {"axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
         "font.size": 9, "legend.fontsize": 8, "legend.frameon": False}


def colours(names):
    """A colour of its own for each of up to 20 systems, the strong ones first."""
    strong_first = list(range(0, 20, 2)) + list(range(1, 20, 2))
    return {name: plt.get_cmap("tab20")(strong_first[i % 20]) for i, name in enumerate(names)}


def one_axis_per_corpus(report, wanted):
    """Figure with an axis for every corpus that `wanted(corpus)` says has something to show."""
    corpora = {name: c for name, c in report["corpora"].items() if wanted(c)}
    if not corpora:
        return None, {}
    figure, axes = plt.subplots(1, len(corpora), figsize=(4.2 * len(corpora), 3.4), squeeze=False)
    return figure, {name: (axis, corpora[name]) for axis, name in zip(axes[0], corpora)}


def legend_below(figure, axes):
    """One legend for all axes, where it hides nothing."""
    if figure is not None:
        handles, labels = next(iter(axes.values()))[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=min(len(labels), 4))
    return figure


def main_systems(paper):
    """Names of the systems of table 2, read as each reads by itself."""
    return {entry["name"] for entry in paper["systems"] if entry["table"] == 2 and not entry["row"]}


def loss_curves(report, paper):
    """Validation loss with the system's own way of reading, against tokens of training."""
    colour = colours([system["name"] for system in report["systems"]])
    label, main = tables.labels(paper), main_systems(paper)
    panels = {"systems": [], "ablations of RPT-Sem": []}
    for system in report["systems"]:
        if any(len(curve["tokens"]) > 1 for curve in system["curves"]):
            panels["systems" if system["name"] in main else "ablations of RPT-Sem"].append(system)
    panels = {title: systems for title, systems in panels.items() if systems}
    if not panels:
        return None
    figure, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 4), sharey=True, squeeze=False)
    for axis, (title, systems) in zip(axes[0], panels.items()):
        for system in systems:
            for i, curve in enumerate(system["curves"]):
                axis.plot([t / 1e6 for t in curve["tokens"]], curve["loss"], marker=".", lw=1,
                          color=colour[system["name"]],
                          label=label.get(system["name"], system["name"]) if i == 0 else None)
        axis.set_title(title)
        axis.set_xlabel("tokens of training, million")
        axis.legend(fontsize=6)
    axes[0][0].set_ylabel("validation loss, nats a token")
    return figure


def loss_by_position(report, paper):
    base = report["baseline"]
    label, main = tables.labels(paper), main_systems(paper)
    colour = colours([system["name"] for system in report["systems"]])
    figure, axes = one_axis_per_corpus(report, lambda c: base in c["systems"])
    for corpus, (axis, data) in axes.items():
        for name, system in data["systems"].items():
            parts = system.get("by_position", {})
            if name == base or name not in main or not parts:
                continue
            axis.plot([max(int(p), 256) for p in parts], [part["nats"] for part in parts.values()], marker=".", lw=1,
                      color=colour[name], label=label[name])
        axis.axhline(0, color="black", lw=0.8)
        axis.set_xscale("log", base=2)
        axis.set_title(corpus)
        axis.set_xlabel("position in the document, tokens")
        axis.set_ylabel(f"loss less that of {label[base]}")
    return legend_below(figure, axes)


def gain_by_gold(report, paper):
    label, main = tables.labels(paper), main_systems(paper)
    figure, axes = one_axis_per_corpus(report, lambda c: any("by_gold" in c["systems"][n] for n in main & set(c["systems"])))
    for corpus, (axis, data) in axes.items():
        shown = {label[n]: s["by_gold"] for n, s in data["systems"].items() if n in main and "by_gold" in s}
        for offset, (key, text) in enumerate([("gold", "a gold chunk was retrieved"), ("no_gold", "none was")]):
            gains = [-tables.percent(g[key]["nats"]) if key in g else 0 for g in shown.values()]
            axis.barh([i + 0.4 * offset for i in range(len(shown))], gains, 0.38, label=text)
        first = axis is next(iter(axes.values()))[0]
        axis.set_yticks([i + 0.2 for i in range(len(shown))], list(shown) if first else [])
        axis.invert_yaxis()
        axis.set_title(corpus)
        axis.set_xlabel("perplexity below the baseline's, %")
    return legend_below(figure, axes)


def retrieval(report, paper):
    label, main = {**tables.labels(paper), "bm25": "BM25"}, main_systems(paper) | {"bm25"}
    metrics = [("precision_2", "precision@2"), ("recall_10", "recall@10"), ("ndcg_20", "nDCG@20")]
    figure, axes = one_axis_per_corpus(report, lambda c: c["ranking"])
    for corpus, (axis, data) in axes.items():
        rankings = [r for r in data["ranking"] if r["name"] in main]
        if not rankings:
            continue
        colour = colours([ranking["name"] for ranking in rankings])
        width = 0.8 / len(rankings)
        for n, ranking in enumerate(rankings):
            axis.bar([i + n * width for i in range(len(metrics))], [100 * ranking[key] for key, _ in metrics],
                     0.95 * width, color=colour[ranking["name"]], label=label[ranking["name"]])
        axis.set_xticks([i + 0.4 - width / 2 for i in range(len(metrics))], [text for _, text in metrics])
        axis.set_title(corpus)
        axis.set_ylabel("%")
    return legend_below(figure, axes)


def best_scores(report, _paper):
    figure, axis = plt.subplots(figsize=(5, 3.4))
    drawn = False
    for corpus, data in report["corpora"].items():
        if data.get("best_target_score"):
            axis.plot(range(1, len(data["best_target_score"]) + 1), data["best_target_score"], marker=".", label=corpus)
            drawn = True
    axis.set_xlabel("candidates looked at, best by BM25 first")
    axis.set_ylabel("best target score, nats a token")
    axis.legend()
    return figure if drawn else None


PLOTS = [
    ("loss_curves", loss_curves, "Validation loss while training."),
    ("loss_by_position", loss_by_position, "Where in a document a system gains on the baseline."),
    ("gain_by_gold", gain_by_gold, "Gain on the baseline where the retriever found a chunk that helps the scorer, and where not."),
    ("retrieval", retrieval, "Rankings judged by target scores."),
    ("best_target_score", best_scores, "What reordering the first k candidates of BM25 could reach."),
]


def table_html(table):
    head = "".join(f"<th>{html.escape(c)}</th>" for c in table["columns"])
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in table["rows"])
    return (f"<h2>{html.escape(table['title'])}</h2><p>{html.escape(table['note'])}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def page(report, paper, images):
    """One page; `images`: captions and PNG bytes."""
    style = ("body{font:15px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
             "td,th{padding:.2rem .7rem;border-bottom:1px solid #ccc;text-align:right}td:first-child,th:first-child"
             "{text-align:left}img{max-width:100%}figcaption{color:#555}pre{background:#f4f4f4;padding:.6rem;overflow:auto}")
    figures = [f'<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'
               f"<figcaption>{html.escape(caption)}</figcaption></figure>" for caption, image in images]
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>librpt: every system side by side</title>'
            f"<style>{style}</style><h1>Every system side by side</h1><p>{html.escape(report['setting'])}</p>"
            + "".join(table_html(table) for table in tables.tables(report, paper)) + "<h2>Figures</h2>" + "".join(figures)
            + f"<h2>Commands</h2><pre>{html.escape(chr(10).join(tables.commands(paper)))}</pre></html>\n")


def draw(report, paper, out):
    """Writes the plots and index.html into the folder `out`; returns the number of plots."""
    plt.rcParams.update(STYLE)
    images = []
    for name, plot, caption in PLOTS:
        figure = plot(report, paper)
        if figure is None:
            continue
        path = out / f"{name}.png"
        figure.tight_layout()
        figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure)
        images.append((caption, path.read_bytes()))
    (out / "index.html").write_text(page(report, paper, images))
    return len(images)
