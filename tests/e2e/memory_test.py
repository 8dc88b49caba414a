from conftest import SENTENCE


def test_memory_list_has_the_facts_of_each_document(rpt, store, text):
    (document,) = rpt("memory", "list", store, "--json").json["documents"]
    assert list(document)[:8] == ["owner", "collection", "key", "bytes", "tokens", "chunks", "revision",
                                  "timestamp_ms"]
    assert (document["key"], document["bytes"], document["finished"]) == ("sea.txt", len(text), True)
    assert rpt("memory", "list", store, "--owner", "nobody", "--json").json["documents"] == []
    assert "sea.txt" in rpt("memory", "list", store).out


def test_memory_stat_counts(rpt, store, text):
    got = rpt("memory", "stat", store, "--json").json
    assert list(got)[:10] == ["spaces", "documents", "chunks", "tokens", "text_bytes", "state_bytes", "key_bytes",
                              "index_bytes", "disk_bytes", "model"]
    (document,) = rpt("memory", "list", store, "--json").json["documents"]
    assert (got["spaces"], got["documents"], got["text_bytes"]) == (1, 1, len(text))
    assert (got["chunks"], got["tokens"]) == (document["chunks"], document["tokens"])
    assert len(got["model"]) == 64 and got["disk_bytes"] >= got["state_bytes"] > 0
    assert got["model"] in rpt("memory", "stat", store).out


def test_memory_show_covers_the_text_with_chunks(rpt, store, text):
    got = rpt("memory", "show", store, "sea.txt", "--json").json
    chunks = got["chunk_records"]
    assert [c["begin"] for c in chunks] == [0] + [c["end"] for c in chunks][:-1]
    assert chunks[-1]["end"] == len(text) and sum(c["tokens"] for c in chunks) == got["tokens"]
    assert "".join(c["text"] for c in chunks) == text
    (third,) = rpt("memory", "show", store, "sea.txt", "--chunk", "2", "--json").json["chunk_records"]
    assert third == chunks[2]
    assert rpt("memory", "show", store, "sea.txt", "--text").out == text
    rpt("memory", "show", store, "sea.txt", "--chunk", "100000", code=1)
    rpt("memory", "show", store, "no.txt", code=1)


def test_memory_delete_takes_a_document_out_of_every_answer(rpt, store, tmp_path, text):
    (tmp_path / "other.txt").write_text(text.replace("sea", "lake"))
    rpt("add", store, "other.txt")
    rpt("memory", "delete", store, "sea.txt", "nothing.txt", code=1)  # one wrong key: nothing goes
    assert len(rpt("memory", "list", store, "--json").json["documents"]) == 2
    assert rpt("memory", "delete", store, "sea.txt", "--json").json == {"deleted": ["sea.txt"]}
    hits = rpt("search", store, SENTENCE, "-k", "200", "--json").json["hits"]
    assert hits and {h["key"] for h in hits} == {"other.txt"}


def test_memory_drop_takes_one_space(rpt, store):
    rpt("add", store, "sea.txt", "--owner", "bob")
    assert rpt("memory", "drop", store, "--owner", "bob", "--json").json == {
        "owner": "bob", "collection": "default", "documents": 1}
    (left,) = rpt("memory", "list", store, "--json").json["documents"]
    assert left["owner"] == "default"
    rpt("memory", "drop", store, "--owner", "bob", code=1)


def test_memory_rebuild_index_changes_no_answer(rpt, store):
    before = rpt("search", store, SENTENCE, "-k", "20", "--json").json
    got = rpt("memory", "rebuild-index", store, "--json").json
    assert got["chunks"] == rpt("memory", "stat", store, "--json").json["chunks"]
    assert rpt("search", store, SENTENCE, "-k", "20", "--json").json == before
