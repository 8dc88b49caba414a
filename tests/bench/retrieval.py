"""How well a search finds: each leg alone, and the order of all.

    python tests/bench/retrieval.py functions MODEL [--test]
    python tests/bench/retrieval.py locomo MODEL FOLDER [--test]

functions: functions of Python's standard library by `def NAME(`, by bare name, by the first line of the doc string; right if one of five hits
lies within 400 bytes of the definition. 20 modules and 60 functions to choose by, 10 others and 24 functions with --test.

locomo: pieces of evidence for the questions of LoCoMo among ten hits. FOLDER holds the conversations as Maharana and others publish them, one JSON
file each (CC BY-NC 4.0: bring it yourself). A session is a document. Two conversations to choose by, the others with --test. Questions that
no turn answers are left out.

Prints a table and, with --json, the numbers.
"""
import argparse
import ast
import json
import pathlib
import random
import sysconfig
import tempfile

from memory_library import LEGS, Memory

CHOOSE = ("argparse difflib zipfile tarfile configparser ftplib gettext inspect ipaddress locale logging mailbox optparse os "
          "pdb pickle platform random shutil smtplib subprocess tokenize traceback").split()
TEST = "textwrap shlex heapq bisect glob fnmatch csv statistics calendar sched".split()


class Question:
    """A text, and the places that answer it: (key, begin, end) in bytes."""

    def __init__(self, kind, text, places):
        self.kind, self.text, self.places = kind, text, places

    def found(self, hits):
        return [any(hit.key == key and hit.begin < end and begin < hit.end for hit in hits)
                for key, begin, end in self.places]


def functions(test):
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    documents, defined = {}, []
    for name in TEST if test else CHOOSE:
        path = library / f"{name}.py"
        if not path.exists():
            continue
        text = documents[path.name] = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and ast.get_docstring(node):
                line = text.split("\n")[node.lineno - 1]
                at = len(text[:text.index(line)].encode())
                defined.append((path.name, node.name, at, ast.get_docstring(node).split("\n")[0]))
    random.Random(1 if test else 7).shuffle(defined)
    questions = []
    for key, name, at, doc in defined[:24 if test else 60]:
        place = [(key, max(0, at - 400), at + 400)]
        for kind, text in (("def NAME(", f"def {name}("), ("bare name", name), ("doc string", doc)):
            questions.append(Question(kind, text, place))
    return [(documents, questions)]


def conversation(path):
    """Documents and questions of one conversation."""
    talk = json.loads(path.read_text())
    documents, places, questions = {}, {}, []
    for number in range(1, 100):
        lines, at = [], 0
        for turn in talk.get(f"session_{number}", []):
            line = f"{turn['speaker']}: {turn['text']}\n"
            places[turn["dia_id"]] = (str(number), at, at + len(line.encode()))
            at += len(line.encode())
            lines.append(line)
        if lines:
            documents[str(number)] = "".join(lines)
    for asked in talk["qa"]:
        names = [name.strip() for group in asked.get("evidence", []) for name in group.replace(";", ",").split(",")]
        evidence = [places[name] for name in names if name in places]
        if asked.get("category") != 5 and evidence:
            questions.append(Question("evidence", asked["question"], evidence))
    return documents, questions


def locomo(folder, test):
    files = sorted(pathlib.Path(folder).glob("*.json"))
    return [conversation(path) for path in (files[2:] if test else files[:2])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["functions", "locomo"])
    parser.add_argument("model")
    parser.add_argument("folder", nargs="?", help="of LoCoMo's conversations")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--library", default="build/release/lib/librpt.so")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sets = functions(options.test) if options.what == "functions" else locomo(options.folder, options.test)
    k = 5 if options.what == "functions" else 10
    orders = {**{leg: (leg,) for leg in LEGS}, "all": ()}
    right = {name: {} for name in orders}
    for documents, questions in sets:
        with tempfile.TemporaryDirectory() as folder, Memory(options.library, options.model, folder) as memory:
            for key, text in documents.items():
                memory.add(key, text)
            for question in questions:
                for name, legs in orders.items():
                    try:
                        hits = memory.find(question.text, k, legs)
                    except RuntimeError:  # a model without this leg
                        continue
                    right[name].setdefault(question.kind, []).extend(question.found(hits))
    kinds = list(right["all"])
    shares = {name: {kind: 100 * sum(found) / len(found) for kind, found in of.items()} for name, of in right.items()}
    if options.json:
        print(json.dumps({"k": k, "counts": {kind: len(right["all"][kind]) for kind in kinds}, "percent": shares}))
        return
    print("| | " + " | ".join(f"{kind} ({len(right['all'][kind])})" for kind in kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for name, of in shares.items():
        if of:
            print(f"| {name} | " + " | ".join(f"{of[kind]:.1f}" for kind in kinds) + " |")


if __name__ == "__main__":
    main()
