"""Our ids against those of the PyPI package `tokenizers`: the same file, the same texts, the same ids; and the same
vocabulary when both train on the same texts.

Usage: python text_tokenizers_reference.py TEXT_IDS_PROGRAM [MEGABYTES]
"""
import glob
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import unicodedata

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<|bos|>", "<|eos|>", "<|pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\u00a0\u1680\u2003\u200b\u2028\u202f\u205f\u3000\ufeff"


def source_texts(limit):
    texts, total = [], 0
    for path in sorted(glob.glob(os.path.join(sysconfig.get_path("stdlib"), "*.py"))):
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
        total += len(texts[-1].encode())
        if total > limit:
            break
    return texts


def random_points(rng, count, low, high):
    points = (rng.randrange(low, high) for _ in range(count))
    return "".join(chr(p) for p in points if not 0xD800 <= p <= 0xDFFF)


def fragment(rng):
    kind = rng.randrange(12)
    if kind == 0:
        return random_points(rng, rng.randrange(1, 30), 0, 0x110000)
    if kind == 1:
        return random_points(rng, rng.randrange(1, 30), 0, 0x3000)
    if kind == 2:
        return random_points(rng, rng.randrange(1, 30), 0x4E00, 0x9FFF)
    if kind == 3:
        return random_points(rng, rng.randrange(1, 8), 0x1F300, 0x1FAFF)
    if kind == 4:
        return "".join(rng.choice(SPACES) for _ in range(rng.randrange(1, 12)))
    if kind == 5:
        return str(rng.randrange(10 ** rng.randrange(1, 40)))
    if kind == 6:
        return rng.choice(["don't", "I'll", "we've 'retry", "they're", "'s", "''ll", "'", "x'd", "'M", "l'eau", " 'S", "'r"])
    if kind == 7:
        return rng.choice(" -=*#/.") * rng.randrange(1, 300)
    if kind == 8:
        return unicodedata.normalize("NFD", rng.choice(["éàüñ", "Ελληνικά", "한국어", "Việt Nam"]))
    if kind == 9:
        return " ".join("".join(rng.choice("etaoinshrdlucm") for _ in range(rng.randrange(1, 12))) for _ in range(20))
    if kind == 10:
        return rng.choice(["²³¼", "ⅣⅫ", "٣٤٥", "১২৩", "①②", " ٣", "\u00a0\u0665"])
    return rng.choice([" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u3000 x", " \u2028a"])


def every_code_point():
    points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    # each code point after a letter, a digit, a mark and a space, so that its class shows in the cuts
    return ["".join(f"a{chr(c)}1{chr(c)}.{chr(c)} {chr(c)}" for c in points[i:i + 8192])
            for i in range(0, len(points), 8192)]


def write_texts(path, texts):
    with open(path, "wb") as file:
        for text in texts:
            raw = text.encode()
            file.write(b"%d\n" % len(raw) + raw)


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return f"token {i}: ours {ours[max(0, i - 3):i + 5]}, theirs {theirs[max(0, i - 3):i + 5]}"
    return f"{len(ours)} tokens, theirs {len(theirs)}"


def main():
    program = sys.argv[1]
    megabytes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    limit = int(megabytes * 1e6)
    rng = random.Random(20240607)
    sources = source_texts(limit // 3)
    mixed, total = [], sum(len(t.encode()) for t in sources)
    while total < limit:
        mixed.append("".join(fragment(rng) for _ in range(rng.randrange(1, 400))))
        total += len(mixed[-1].encode())
    texts = sources + mixed + ["", " ", "'", "  ", "a", "\n", "\u3000"]
    for name in SPECIAL:  # inside a text they are ordinary text to us, not to the package
        texts = [text.replace(name, "") for text in texts]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        corpus, file = os.path.join(folder, "texts"), os.path.join(folder, "tokenizer.json")
        learned = sources[:60] + mixed[:60]
        write_texts(corpus, learned)
        subprocess.run([program, "train", "3000", corpus, file], check=True)

        reference = Tokenizer(models.BPE())
        reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        reference.decoder = decoders.ByteLevel()
        reference.train_from_iterator(learned, trainers.BpeTrainer(
            vocab_size=3000, min_frequency=2, special_tokens=SPECIAL, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        with open(file, encoding="utf-8") as ours:
            if json.load(ours)["model"]["vocab"] != reference.get_vocab():
                print("the trained vocabularies differ")
                failures += 1

        everything = texts + every_code_point()
        theirs_file = os.path.join(folder, "theirs.json")
        reference.save(theirs_file)
        # our file read by both, then, on a part, their file read by both
        for path, given in ((file, everything), (theirs_file, texts[::8])):
            write_texts(corpus, given)
            lines = subprocess.run([program, "encode", path, corpus], check=True, stdout=subprocess.PIPE).stdout
            answers = [[int(i) for i in line.split()] for line in lines.decode().split("\n")[:-1]]
            assert len(answers) == len(given)
            loaded = Tokenizer.from_file(path)
            for number, (text, ours) in enumerate(zip(given, answers)):
                theirs = loaded.encode(text, add_special_tokens=False).ids
                if ours != theirs:
                    print(f"text {number} differs:", first_difference(ours, theirs))
                    failures += 1
                    if failures > 10:
                        return 1
    size = sum(len(text.encode()) for text in everything)
    print(f"{len(everything)} texts, {size} bytes, tokenizers {tokenizers.__version__}: {failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
