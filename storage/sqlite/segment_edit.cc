#include "storage/sqlite/segment_edit.h"

#include <algorithm>

#include "base/error.h"

namespace rpt::storage {

uint64_t PreparedSegment::size() const {
    uint64_t n = text.size();
    for (const EncodedRecord& chunk : chunks) n += chunk.size();
    return n;
}

PreparedSegment prepare_segment(const SegmentRecord& record, bool discard_text, uint32_t dim,
                                const Packing& packing) {
    PreparedSegment prepared;
    prepared.identity = record.identity;
    prepared.known = record.known;
    if (record.known) return prepared;
    prepared.text_discarded = discard_text;
    prepared.bytes = record.text.size();
    if (!discard_text) prepared.text = encode_text(record.text, packing.level);
    for (const ChunkRecord& chunk : record.chunks) {
        prepared.tokens += chunk.tokens.size();
        prepared.chunks.push_back(encode_record(chunk, dim, packing));
    }
    return prepared;
}

uint64_t erase_segment(Connection& connection, SpaceRow& space, const SegmentRow& row) {
    uint64_t bytes = row.text_disk + 1;
    for (const ChunkRow& chunk : list_chunks(connection, row.id)) {
        space.chunks -= 1;
        space.tokens -= chunk.n_tokens;
        space.state_disk -= chunk.state_disk;
        bytes += chunk.state_disk + chunk.n_tokens * 2;
        erase_chunk(connection, chunk.id);
    }
    space.text_disk -= row.text_disk;
    erase_segment_row(connection, row.id);
    return bytes;
}

SegmentEdit::SegmentEdit(Connection& connection, SpaceChange& change, uint32_t key_dim)
    : connection_(connection), change_(change), key_dim_(key_dim) {}

std::optional<SegmentRow> SegmentEdit::put(const PreparedSegment& prepared) {
    if (prepared.identity != Digest{}) {
        if (auto found = find_segment(connection_, change_.now.id, prepared.identity)) {
            touch(found->id);
            return found;
        }
        if (prepared.known) return std::nullopt;
    }
    SegmentRow row;
    row.space = change_.now.id;
    row.identity = prepared.identity;
    row.bytes = prepared.bytes;
    row.tokens = prepared.tokens;
    row.chunks = prepared.chunks.size();
    row.text_discarded = prepared.text_discarded;
    row.text_disk = prepared.text.size();
    insert_segment(connection_, row, prepared.text);
    change_.now.text_disk += row.text_disk;
    insert_chunks(row, prepared, 0);
    touch(row.id);
    return row;
}

SegmentRow SegmentEdit::replace_open(const SegmentRow& open, const PreparedSegment& prepared) {
    RPT_CHECK(open.is_open());
    const std::vector<ChunkRow> old = list_chunks(connection_, open.id);
    size_t kept = 0;
    for (; kept < std::min(old.size(), prepared.chunks.size()); ++kept) {
        const EncodedRecord& now = prepared.chunks[kept];
        const ChunkPlace place{open.space, open.id, kept, now.bytes, now.provisional};
        if (now.provisional || seal_key(place, now.key) != old[kept].key_seal ||
            seal_tokens(place, now.tokens) != old[kept].tokens_seal)
            break;
    }
    for (size_t i = kept; i < old.size(); ++i) {
        if (open.standing == Standing::kVisible) forget({old[i].id, old[i].key_seal});
        change_.now.chunks -= 1;
        change_.now.tokens -= old[i].n_tokens;
        change_.now.state_disk -= old[i].state_disk;
        erase_chunk(connection_, old[i].id);
    }
    SegmentRow row = open;
    row.identity = prepared.identity;
    row.bytes = prepared.bytes;
    row.tokens = prepared.tokens;
    row.chunks = prepared.chunks.size();
    row.text_disk = prepared.text.size();
    update_segment(connection_, row, prepared.text);
    change_.now.text_disk += row.text_disk - open.text_disk;
    insert_chunks(row, prepared, kept);
    touch(row.id);
    return row;
}

void SegmentEdit::insert_chunks(const SegmentRow& row, const PreparedSegment& prepared,
                                size_t from) {
    for (size_t i = from; i < prepared.chunks.size(); ++i) {
        const EncodedRecord& record = prepared.chunks[i];
        const ChunkPlace place{row.space, row.id, i, record.bytes, record.provisional};
        const ChunkRow made = insert_chunk(connection_, place, record, change_.now.generation);
        change_.now.chunks += 1;
        change_.now.tokens += made.n_tokens;
        change_.now.state_disk += made.state_disk;
        if (row.standing != Standing::kVisible) continue;
        added_.emplace_back(RowFacts{made.id, row.id, made.key_seal}, record.key);
        change_.now.digest += digest_part(made.id, made.key_seal);
    }
}

void SegmentEdit::forget(const ChunkSeal& chunk) {
    change_.removed.push_back(chunk.chunk);
    change_.now.digest -= digest_part(chunk.chunk, chunk.seal);
}

void SegmentEdit::unsee(uint64_t segment) {
    for (const ChunkSeal& chunk : list_segment_seals(connection_, change_.now.id, segment))
        forget(chunk);
}

void SegmentEdit::see(uint64_t segment) {
    const size_t before = added_.size();
    load_segment_rows(connection_, segment, added_, key_dim_);
    for (size_t i = before; i < added_.size(); ++i)
        change_.now.digest += digest_part(added_[i].first.chunk, added_[i].first.seal);
}

void SegmentEdit::settle() {
    for (const uint64_t id : touched_) {
        const auto row = read_segment(connection_, id);
        if (!row) continue;
        const Standing now = standing_by_documents(connection_, id);
        if (now == row->standing) continue;
        if (row->standing == Standing::kVisible) unsee(id);
        if (now == Standing::kVisible) see(id);
        set_standing(connection_, id, now);
    }
    touched_.clear();
}

uint64_t SegmentEdit::purge(size_t limit, uint64_t bytes) {
    uint64_t erased = 0;
    for (const SegmentRow& row : list_unused(connection_, change_.now.id, limit)) {
        erased += erase_segment(connection_, change_.now, row);
        if (erased >= bytes) break;
    }
    return erased;
}

void SegmentEdit::publish_rows() {
    std::ranges::sort(added_, {}, [](const auto& row) { return row.first.chunk; });
    auto rows = std::make_shared<KeyRows>(key_dim_);
    for (const auto& [facts, key] : added_) rows->push(facts, key);
    change_.added = std::move(rows);
}

}  // namespace rpt::storage
