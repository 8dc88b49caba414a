"""A memory through rpt.h, for scripts that measure: one space of a store, documents in, hits out."""
import ctypes as c
import dataclasses
import pathlib

LEGS = ("keys", "words", "grams", "definitions", "states")


class Text(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]

    def __str__(self):
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
                ("exclude_bytes", Span), ("legs", c.c_uint32), ("has_times", c.c_uint32), ("since_ms", c.c_int64),
                ("before_ms", c.c_int64), ("key_pattern", c.c_char_p)]


class HitRecord(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("rank", c.c_uint32), ("score", c.c_float),
                ("gate", c.c_float), ("reserved0", c.c_uint32), ("chunk_id", c.c_uint64), ("doc_id", c.c_uint64),
                ("revision", c.c_uint64), ("ordinal", c.c_uint64), ("span", Span), ("next", Span), ("owner", Text),
                ("collection", Text), ("key", Text), ("uri", Text), ("text", Text), ("next_text", Text),
                ("timestamp_ms", c.c_int64), ("copied", c.c_float), ("reserved1", c.c_uint32),
                ("leg_ranks", c.c_uint32 * 8), ("leg_scores", c.c_float * 8)]


@dataclasses.dataclass
class Hit:
    key: str
    begin: int
    end: int
    score: float
    leg_scores: dict  # by name


def sized(kind, **values):
    record = kind(**values)
    record.struct_size = c.sizeof(kind)
    return record


class Memory:
    """Makes a store in `folder`, or opens the one that was made there."""

    def __init__(self, library, model, folder, collection="default"):
        self.rpt = c.CDLL(library)
        self.rpt.rpt_hits_count.restype = c.c_size_t
        self.fault = sized(Fault)
        self.env, self.model, self.store, self.space = (c.c_void_p() for _ in range(4))
        self.call("env_open", None, c.byref(self.env))
        self.call("model_open", self.env, model.encode(), None, None, c.byref(self.model))
        options = sized(StoreOptions, flags=1, model=self.model)
        path = pathlib.Path(folder, "store")
        self.call("store_open", self.env, bytes(path), c.byref(options), c.byref(self.store))
        self.call("space_open", self.store, b"default", collection.encode(), c.c_uint32(1), c.byref(self.space))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rpt.rpt_space_close(self.space)
        self.rpt.rpt_store_close(self.store, None)
        self.rpt.rpt_model_close(self.model)
        self.rpt.rpt_env_close(self.env)

    def call(self, name, *arguments):
        if getattr(self.rpt, "rpt_" + name)(*arguments, c.byref(self.fault)) < 0:
            raise RuntimeError(f"{name}: {self.fault.message.decode()}")

    def add(self, key, text, timestamp_ms=0):
        doc, raw = c.c_void_p(), text.encode()
        options = sized(DocOptions, key=key.encode(), timestamp_ms=timestamp_ms)
        self.call("doc_begin", self.space, c.byref(options), c.byref(doc))
        self.call("doc_append", doc, raw, c.c_size_t(len(raw)), None)
        self.call("doc_finish", doc, None, None)
        self.rpt.rpt_doc_free(doc)

    def remove(self, key):
        self.call("doc_delete", self.space, key.encode())

    def find(self, text, k, legs=(), **options):
        """Hits, best first. `legs`: names, none for all; `options`: fields of rpt_retrieve_options."""
        hits, raw, out = c.c_void_p(), text.encode(), []
        chosen = sized(RetrieveOptions, k=k, legs=sum(1 << LEGS.index(leg) for leg in legs), **options)
        self.call("retrieve", c.byref(self.space), c.c_size_t(1), raw, c.c_size_t(len(raw)), c.byref(chosen), None,
                  c.byref(hits))
        for i in range(self.rpt.rpt_hits_count(hits)):
            hit = sized(HitRecord)
            self.call("hits_get", hits, c.c_size_t(i), c.byref(hit))
            out.append(Hit(str(hit.key), hit.span.begin, hit.span.end, hit.score, dict(zip(LEGS, hit.leg_scores))))
        self.rpt.rpt_hits_free(hits)
        return out
