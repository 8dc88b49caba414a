"""The tables of a report, from its numbers and the paper's. A table is a title, a note, columns and rows of text."""
import math

SWAP_COLUMNS = {"none": "none", "random": "random", "bm25": "BM25", "own": "own", "oracle": "oracle, BM25",
                "oracle_scores": "oracle, scores", "more": "8 neighbours"}
GOLD_COLUMNS = {"gold": "gold retrieved", "no_gold": "none retrieved", "no_pool": "nothing to retrieve"}


def percent(nats):
    """A difference of nats a token as a difference of perplexity."""
    return 100 * (math.exp(nats) - 1)


def interval(difference):
    return (f"{percent(difference['nats']):+.1f} % "
            f"[{percent(difference['low']):+.1f}, {percent(difference['high']):+.1f}]")


def labels(paper):
    return {entry["name"]: entry["label"] for entry in paper["systems"]}


def usual_entries(report, paper):
    """Systems that were trained, read as each reads by itself."""
    trained = {system["name"] for system in report["systems"]}
    return [entry for entry in paper["systems"] if not entry["row"] and entry["config"] in trained]


def paper_difference(paper, entry, corpus, baseline):
    """How the paper's perplexity lies to that of its own baseline; empty where it has none."""
    theirs = paper["corpora"].get(corpus)
    base = next((other for other in paper["systems"] if other["name"] == baseline), {})
    if theirs is None or "perplexity" not in entry or "perplexity" not in base:
        return ""
    return f"{100 * (entry['perplexity'][theirs] / base['perplexity'][theirs] - 1):+.1f} %"


def perplexity_table(report, paper, number, title):
    """Tables 2 and 4 of the paper."""
    baseline, corpora = report["baseline"], report["corpora"]
    trained = {system["name"]: system for system in report["systems"]}
    columns = ["system", "seeds", "parameters", "time"]
    for corpus in corpora:
        columns += [f"{corpus}: perplexity", f"against {baseline} [95 %]", "paper"]
    rows = []
    for entry in paper["systems"]:
        is_base = entry["name"] == baseline
        if entry["table"] != number and not (is_base and number != 2):
            continue
        found = next(iter(corpora.values()))["systems"].get(entry["name"])
        ratio = report["time_ratios"].get(entry["config"])
        training = trained.get(entry["config"])
        row = [entry["label"], "not run here" if found is None else str(len(found["trainings"])),
               f"{training['parameters'] / 1e6:.2f} M" if training else "", f"{ratio:.2f} x" if ratio else ""]
        for corpus, part in corpora.items():
            system = part["systems"].get(entry["name"])
            row += [f"{system['perplexity']:.2f}" if system else "",
                    interval(system["difference"]) if system and not is_base else "",
                    "" if is_base else paper_difference(paper, entry, corpus, baseline)]
        rows.append(row)
    return {"title": title, "columns": columns, "rows": rows, "note":
            "Perplexity on test documents, each system read as it reads by itself; differences with 95 % intervals from a "
            "paired bootstrap over documents and seeds. Beside them how the paper's figures for the same row lie to its "
            "own baseline."}


def retrieval_table(report, paper):
    """Table 3 and figure 4 of the paper."""
    names = {**labels(paper), "bm25": "BM25"}
    rows = []
    for corpus, part in report["corpora"].items():
        theirs = paper["retrieval"].get(paper["corpora"].get(corpus), {})
        for ranking in part["ranking"]:
            row = [corpus, names[ranking["name"]]]
            for figure in ("precision_2", "recall_10", "ndcg_20"):
                paper_figure = theirs.get(figure, {}).get(ranking["name"])
                row.append(f"{100 * ranking[figure]:.1f} %" + (f" ({paper_figure})" if paper_figure is not None else ""))
            rows.append(row + [f"{ranking['overlap_query']:.1f}", f"{ranking['overlap_target']:.1f}"])
    return {"title": "Retrieval (table 3 of the paper, figure 4)", "rows": rows, "columns":
            ["corpus", "retriever", "precision@2", "recall@10", "nDCG@20", "shared with the chunk", "with the next"],
            "note": "Gold: chunks with a target score above 0. In brackets the paper's figure. Shared: different tokens "
            "that the first neighbour has in common with the chunk that searches and with the one that follows it."}


def swap_table(report, paper):
    """The same models reading other chunks than those they would choose."""
    rows = []
    for corpus, part in report["corpora"].items():
        for entry in usual_entries(report, paper):
            swaps = part["swaps"].get(entry["config"])
            if swaps:
                rows.append([corpus, entry["label"],
                             *(f"{math.exp(swaps[row]):.2f}" if row in swaps else "" for row in SWAP_COLUMNS)])
    return {"title": "Neighbours swapped", "columns": ["corpus", "system", *SWAP_COLUMNS.values()], "rows": rows, "note":
            "Perplexity of the same models when their chunks read nothing, chunks of the pool by chance, the best by BM25, "
            "their own choice, and the best for one who sees the next chunk: by BM25 of both, and by target scores. The "
            "last column is the usual choice with eight neighbours. Means over the seeds that were read so."}


def gold_table(report, paper):
    """Figure 6 of the paper: where the retriever found a chunk that helps, and elsewhere."""
    rows = []
    for corpus, part in report["corpora"].items():
        for entry in usual_entries(report, paper):
            by_gold = part["systems"].get(entry["name"], {}).get("by_gold")
            if not by_gold:
                continue
            tokens = sum(values["tokens"] for values in by_gold.values())
            rows.append([corpus, entry["label"], *(
                f"{interval(by_gold[name])} ({100 * by_gold[name]['tokens'] / tokens:.0f} %)" if name in by_gold else ""
                for name in GOLD_COLUMNS)])
    return {"title": "Where a memory helps (figure 6)", "columns": ["corpus", "system", *GOLD_COLUMNS.values()],
            "rows": rows, "note":
            f"Perplexity against {report['baseline']} on the tokens of chunks for which the system's neighbours held one "
            "with a target score above 0, on those for which they held none, and at the beginning of a document, where "
            "there is none to retrieve; in brackets the share of the tokens."}


def second_table(report, paper):
    """The systems of table 2 against the second baseline; None where that was not trained."""
    second, corpora = report["second"], report["corpora"]
    rows = []
    for entry in paper["systems"]:
        differences = {corpus: part["against_second"].get(entry["name"]) for corpus, part in corpora.items()}
        if entry["table"] != 2 or not any(differences.values()):
            continue
        row = [entry["label"]]
        for corpus, difference in differences.items():
            theirs = paper_difference(paper, entry, corpus, second)
            row.append((interval(difference) + (f" ({theirs})" if theirs else "")) if difference else "")
        rows.append(row)
    if not rows:
        return None
    return {"title": f"Perplexity against {labels(paper)[second]}", "columns": ["system", *corpora], "rows": rows, "note":
            "The same figures compared with another system: differences with 95 % intervals, in brackets the paper's."}


def tables(report, paper):
    made = [perplexity_table(report, paper, 2, "Perplexity (table 2 of the paper)"), retrieval_table(report, paper),
            perplexity_table(report, paper, 4, "Ablations (table 4 of the paper)"), swap_table(report, paper),
            gold_table(report, paper), second_table(report, paper)]
    return [table for table in made if table is not None]


def commands(paper):
    """What trains and evaluates each row."""
    return [f"configs/run_rows.sh TIER DATA RUNS {entry['config']}" for entry in paper["systems"] if not entry["row"]]


def rows_of_markdown(table):
    yield "| " + " | ".join(table["columns"]) + " |"
    yield "|" + "---|" * len(table["columns"])
    for row in table["rows"]:
        yield "| " + " | ".join(row) + " |"


def markdown(report, paper):
    parts = ["# Every system side by side", report["setting"]]
    for table in tables(report, paper):
        parts += [f"## {table['title']}", table["note"], "\n".join(rows_of_markdown(table))]
    parts += ["## Commands", "\n".join("    " + command for command in commands(paper))]
    return "\n\n".join(parts) + "\n"
