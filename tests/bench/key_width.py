"""How much of a lexical ranking fits into keys of d numbers: BM25 of chunks, and the same scores through random token directions.

    python tests/bench/key_width.py DATA [--corpora math,code,books] [--widths 128,256,512,1024] [--features 512,1024,2048] [--chunk 32] [--stride 128]

DATA holds NAME.validation.shard of `rpt-lab data prepare`. Every token kind gets a random direction of d numbers; a chunk's key is the
mean of its tokens' directions, weighed as BM25 weighs them in a stored chunk, its query the same as BM25 weighs them in a question,
and chunks are ranked by the cosine of the two. Printed is the share of the two chunks ranked first that are among the five that BM25
puts first when it is asked with the chunk and the one after it: the teacher's question. A trained retriever may do better, where
tokens that mean the same share a direction; it has no more numbers. Then the same with features instead of directions: r random
thresholded functions of directions of the first width (relu of a random projection less 1.5, `key_features` as it starts), so that
keys are wide and the directions stay narrow. Seconds a corpus. Needs numpy.
"""
import argparse
import json
import pathlib

import numpy

K1, B = 1.5, 0.75  # of Okapi BM25, as core/text/bm25.h
THRESHOLD = 1.5  # as lab/network/initialise.cc


def texts(shard, count, length):
    index = json.loads(pathlib.Path(f"{shard}.json").read_text())
    tokens = numpy.fromfile(shard, dtype=numpy.uint16 if index["vocab"] <= 65536 else numpy.uint32, offset=64)
    long_enough = [d for d in index["documents"] if d["tokens"] >= length][:count]
    return [tokens[d["offset"]:d["offset"] + length].astype(int) for d in long_enough], index["vocab"]


def bm25_parts(chunks, vocabulary):
    """Occurrences [n, V], their saturation in a stored chunk [n, V], and the weight of each token kind [V]."""
    occurrences = numpy.zeros((len(chunks), vocabulary), numpy.float32)
    for row, chunk in zip(occurrences, chunks):
        numpy.add.at(row, chunk, 1)
    frequency = (occurrences > 0).sum(0)
    seen = frequency > 0
    idf = numpy.log((len(chunks) - frequency + 0.5) / (frequency + 0.5))
    idf[idf < 0] = idf[seen].mean() / 4
    length = occurrences.sum(1, keepdims=True)
    saturated = occurrences * (K1 + 1) / (occurrences + K1 * (1 - B + B * length / length.mean()))
    return occurrences, saturated, idf * seen


def unit(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def directions(vocabulary, widths, features, random):
    """What stands for each token kind, by name: rows of d random numbers, or r thresholded functions of the first such rows."""
    kinds = {f"d {width}": random.standard_normal((vocabulary, width)).astype(numpy.float32) for width in widths}
    narrow = next(iter(kinds.values()))
    for count in features:
        projection = random.standard_normal((widths[0], count)).astype(numpy.float32) / numpy.sqrt(widths[0])
        kinds[f"{count} features"] = numpy.maximum(narrow @ projection - THRESHOLD, 0)
    return kinds


def rankings(chunks, vocabulary, kinds):
    occurrences, saturated, idf = bm25_parts(chunks, vocabulary)
    asked_with_next = occurrences.copy()
    asked_with_next[:-1] += occurrences[1:]
    root = numpy.sqrt(idf)
    scores = {"BM25": (occurrences * idf) @ saturated.T}
    for name, rows in kinds.items():
        scores[name] = unit((occurrences * root) @ rows) @ unit((saturated * root) @ rows).T
    return (asked_with_next * idf) @ saturated.T, scores


def best(scores, count):
    return numpy.argsort(-scores, kind="stable")[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--corpora", default="math,code,books")
    parser.add_argument("--widths", default="128,256,512,1024")
    parser.add_argument("--features", default="512,1024,2048")
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--stride", type=int, default=128)
    parser.add_argument("--documents", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=8192, help="of each document")
    options = parser.parse_args()

    widths = [int(width) for width in options.widths.split(",")]
    features = [int(count) for count in options.features.split(",")]
    per_block = options.stride // options.chunk
    heads = ["", "BM25"] + [f"d {width}" for width in widths] + [f"{count} features" for count in features]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for corpus in options.corpora.split(","):
        random = numpy.random.default_rng(0)
        found = {}
        documents, vocabulary = texts(options.data / f"{corpus}.validation.shard", options.documents, options.tokens)
        kinds = directions(vocabulary, widths, features, random)
        for text in documents:
            chunks = text[:len(text) // options.chunk * options.chunk].reshape(-1, options.chunk)
            teacher, scores = rankings(chunks, vocabulary, kinds)
            for i in range(len(chunks) - 1):
                pool = (i // per_block - 1) * per_block - 1  # chunks that the window has left, with their successors
                if pool < 8:
                    continue
                gold = best(teacher[i, :pool], 5)
                for name, score in scores.items():
                    found.setdefault(name, []).append(numpy.isin(best(score[i, :pool], 2), gold).mean())
        print(f"| {corpus} | " + " | ".join(f"{numpy.mean(shares):.3f}" for shares in found.values()) + " |")


if __name__ == "__main__":
    main()
