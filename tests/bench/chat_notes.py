"""Whether a talk finds what its user once said, and notices that it was never said.

    python tests/bench/chat_notes.py --model MODEL [--library build/release/lib/librpt.so] [--turns 600] [--seed 1]

Stores invented turns (chat_facts.py), each as a document of its own, as `rpt chat` does. Then asks each question as `rpt chat` does: the
message is stored, the search finds it and the turns like it, and the score of a turn counts as a share of what the message itself scores.
Prints how often the fact is the first hit, or among two; and for each threshold on that share how many facts are found among two notes above it,
and to how many questions without an answer no note is given.
"""
import argparse
import ctypes as c
import json
import pathlib
import tempfile

import chat_facts


class Str(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]

    def text(self):
        return c.string_at(self.data, self.size).decode() if self.size else ""


class Span(c.Structure):
    _fields_ = [("begin", c.c_uint64), ("end", c.c_uint64)]


class Fault(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("os_error", c.c_int32), ("flags", c.c_uint32),
                ("offset", c.c_int64), ("domain", c.c_char * 24), ("message", c.c_char * 464)]


class StoreOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("model", c.c_void_p), ("cache_bytes", c.c_uint64),
                ("durability", c.c_int32), ("compression_level", c.c_int32), ("state_codec", c.c_int32),
                ("reserved0", c.c_uint32)]


class DocOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("key", c.c_char_p), ("uri", c.c_char_p),
                ("meta_json", c.c_char_p), ("timestamp_ms", c.c_int64)]


class RetrieveOptions(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("k", c.c_uint32), ("max_per_doc", c.c_uint32),
                ("min_score", c.c_float), ("has_min_score", c.c_uint32), ("exclude_key", c.c_char_p),
                ("exclude_bytes", Span), ("legs", c.c_uint32), ("has_times", c.c_uint32)]


class Hit(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("rank", c.c_uint32), ("score", c.c_float),
                ("gate", c.c_float), ("reserved0", c.c_uint32), ("chunk_id", c.c_uint64), ("doc_id", c.c_uint64),
                ("revision", c.c_uint64), ("ordinal", c.c_uint64), ("span", Span), ("next", Span), ("owner", Str),
                ("collection", Str), ("key", Str), ("uri", Str), ("text", Str), ("next_text", Str),
                ("timestamp_ms", c.c_int64), ("copied", c.c_float), ("reserved1", c.c_uint32),
                ("leg_ranks", c.c_uint32 * 8), ("leg_scores", c.c_float * 8)]


def sized(kind, **values):
    record = kind(**values)
    record.struct_size = c.sizeof(kind)
    return record


class Memory:
    """One space of a store in a folder, through rpt.h."""

    def __init__(self, library, model, folder):
        self.rpt = c.CDLL(library)
        self.rpt.rpt_hits_count.restype = c.c_size_t
        self.fault = sized(Fault)
        self.env, self.model, self.store, self.space = (c.c_void_p() for _ in range(4))
        self.call("env_open", None, c.byref(self.env))
        self.call("model_open", self.env, model.encode(), None, None, c.byref(self.model))
        options = sized(StoreOptions, flags=1, model=self.model)
        self.call("store_open", self.env, folder.encode(), c.byref(options), c.byref(self.store))
        self.call("space_open", self.store, b"default", b"chat", c.c_uint32(1), c.byref(self.space))

    def call(self, name, *arguments):
        if getattr(self.rpt, "rpt_" + name)(*arguments, c.byref(self.fault)) < 0:
            raise RuntimeError(f"{name}: {self.fault.message.decode()}")

    def add(self, key, text):
        doc, raw = c.c_void_p(), text.encode()
        options = sized(DocOptions, key=key.encode())
        self.call("doc_begin", self.space, c.byref(options), c.byref(doc))
        self.call("doc_append", doc, raw, c.c_size_t(len(raw)), None)
        self.call("doc_finish", doc, None, None)
        self.rpt.rpt_doc_free(doc)

    def remove(self, key):
        self.call("doc_delete", self.space, key.encode())

    def find(self, text, k):
        """(key, scores of the legs), best first."""
        hits, raw, out = c.c_void_p(), text.encode(), []
        options = sized(RetrieveOptions, k=k, max_per_doc=1)
        self.call("retrieve", c.byref(self.space), c.c_size_t(1), raw, c.c_size_t(len(raw)), c.byref(options), None,
                  c.byref(hits))
        for i in range(self.rpt.rpt_hits_count(hits)):
            hit = sized(Hit)
            self.call("hits_get", hits, c.c_size_t(i), c.byref(hit))
            out.append((hit.key.text(), list(hit.leg_scores[:len(LEGS)])))
        self.rpt.rpt_hits_free(hits)
        return out


LEGS = ["keys", "words", "grams"]


def ask(memory, turns, question, k=64):
    """Turns that are no questions, and for each leg the share of what the question itself scores; best first."""
    memory.add("asked", question)
    found = memory.find(question, k + 1)
    memory.remove("asked")
    whole = dict(found)["asked"]
    return [(int(key), [score / most if most > 0 else 0 for score, most in zip(scores, whole)])
            for key, scores in found if key != "asked" and not turns[int(key)].endswith("?")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--library", default="build/release/lib/librpt.so")
    parser.add_argument("--turns", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="write every score as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(options.library, options.model, folder + "/mem")
        turns = chat_facts.talk(options.turns, options.seed)
        for i, turn in enumerate(turns):
            memory.add(f"{i:05}", turn)
        answered = [(turns.index(fact), question, ask(memory, turns, question)) for fact, question, _ in chat_facts.FACTS]
        unanswered = [(question, ask(memory, turns, question)) for question in chat_facts.UNANSWERED]
    if options.keep:
        options.keep.write_text(json.dumps({"turns": turns, "answered": answered, "unanswered": unanswered}))
    for k in (1, 2, 4, 8):
        n = sum(gold in [key for key, _ in hits[:k]] for gold, _, hits in answered)
        print(f"fact among {k}: {n} of {len(answered)}")
    for number, leg in enumerate(LEGS):
        print(f"{leg}: threshold, facts among two notes above it, questions without an answer that get no note")
        for step in range(0, 100, 5):
            least = step / 100

            def notes(hits):
                return [key for key, shares in hits if shares[number] >= least][:2]

            found = sum(gold in notes(hits) for gold, _, hits in answered)
            quiet = sum(not notes(hits) for _, hits in unanswered)
            print(f"{least:9.2f}  {found:2} of {len(answered)}  {quiet:2} of {len(unanswered)}")


if __name__ == "__main__":
    main()
