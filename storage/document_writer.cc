#include "storage/document_writer.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace rpt::storage {
namespace {

constexpr size_t kChunksBetweenChecks = 16;

[[noreturn]] void fail_argument(const ChunkRecord& chunk, const std::string& text) {
    throw Error(Status::kArgument, "rpt", "chunk " + std::to_string(chunk.ordinal) + ": " + text);
}

void drop_chunk(Connection& connection, DocumentRow& row, const ChunkRow& chunk,
                IndexChange& change) {
    row.state_disk -= erase_chunk(connection, chunk.id);
    row.info.chunks -= 1;
    row.info.tokens -= chunk.n_tokens;
    if (row.pending) return;
    change.removed.push_back(chunk.id);
    change.now.digest -= digest_part(chunk.id, chunk.key_seal);
}

}  // namespace

void remove_chunks(Connection& connection, const DocumentRow& row, IndexChange& change) {
    for (const ChunkRow& chunk : list_chunks(connection, row.space, row.info.id, 0)) {
        change.removed.push_back(chunk.id);
        change.now.digest -= digest_part(chunk.id, chunk.key_seal);
    }
    erase_document(connection, row);
}

DocumentWriterImpl::DocumentWriterImpl(std::shared_ptr<StoreImpl> store, uint64_t space,
                                       const DocumentSpec& spec,
                                       const std::optional<DocumentRow>& old)
    : store_(std::move(store)), key_(spec.key), key_hash_(hash_key(spec.key)) {
    DocumentRow& row = state_.row;
    row.space = space;
    row.pending = old.has_value();
    row.text_discarded = spec.discard_text;
    row.info.revision = old ? old->info.revision + 1 : 1;
    row.info.key = spec.key;
    row.info.uri = spec.uri;
    row.info.meta_json = spec.meta_json;
    row.info.timestamp_ms = spec.timestamp_ms;
}

DocumentWriterImpl::~DocumentWriterImpl() {
    if (state_.row.pending && state_.row.info.id != 0) {
        try {
            store_->write([&](Connection& connection) { erase_document(connection, state_.row); });
        } catch (...) {  // nobody sees an unfinished replacement, and the next open for writing
                         // removes it
        }
    }
    store_->release_key(state_.row.space, key_);
}

void DocumentWriterImpl::check(const Flush& flush) const {
    const ModelBinding& model = store_->model();
    std::set<uint64_t> ordinals;
    for (const ChunkRecord& chunk : flush.chunks) {
        if (!ordinals.insert(chunk.ordinal).second)
            fail_argument(chunk, "given twice in one flush");
        if (chunk.ordinal > INT64_MAX) fail_argument(chunk, "its ordinal is too large");
        if (chunk.tokens.empty() || chunk.tokens.size() > model.chunk_tokens)
            fail_argument(chunk, "has " + std::to_string(chunk.tokens.size()) +
                                     " tokens, not 1 to " + std::to_string(model.chunk_tokens));
        if (chunk.key.size() != model.dim)
            fail_argument(chunk, "its key has " + std::to_string(chunk.key.size()) +
                                     " values, the store's have " + std::to_string(model.dim));
        if (chunk.states.size() != chunk.tokens.size() * model.dim)
            fail_argument(chunk, "its states have " + std::to_string(chunk.states.size()) +
                                     " values, not tokens times " + std::to_string(model.dim));
        if (chunk.bytes.begin > chunk.bytes.end ||
            chunk.bytes.end > state_.row.info.bytes + flush.text.size())
            fail_argument(chunk, "its bytes are not within the text");
    }
}

void DocumentWriterImpl::write_chunks(Connection& connection, State& state, const Flush& flush,
                                      IndexChange& change, const CallControl& control) const {
    DocumentRow& row = state.row;
    if (flush.drop_from_ordinal <= INT64_MAX)
        for (const ChunkRow& chunk :
             list_chunks(connection, row.space, row.info.id, flush.drop_from_ordinal))
            if (chunk.place.provisional) drop_chunk(connection, row, chunk, change);
    const uint32_t dim = store_->model().dim;
    auto added = std::make_shared<KeyRows>(dim);
    for (size_t i = 0; i < flush.chunks.size(); ++i) {
        if (i % kChunksBetweenChecks == 0) control.report(i, flush.chunks.size());
        const ChunkRecord& record = flush.chunks[i];
        if (const auto old = find_chunk(connection, row.space, row.info.id, record.ordinal))
            drop_chunk(connection, row, *old, change);
        const ChunkPlace place{row.space, row.info.id, record.ordinal, record.bytes,
                               record.provisional};
        const InsertedChunk made = insert_chunk(connection, place, key_hash_, record, dim,
                                                store_->options().compression_level);
        row.state_disk += made.state_bytes;
        row.info.chunks += 1;
        row.info.tokens += record.tokens.size();
        if (row.pending) continue;
        added->push(made.facts, made.key);
        change.now.digest += digest_part(made.facts.chunk, made.facts.seal);
    }
    change.added = std::move(added);
    row.info.bytes_searchable = last_chunk_end(connection, row.space, row.info.id);
}

void DocumentWriterImpl::publish_replacement(Connection& connection, State& state,
                                             IndexChange& change) const {
    DocumentRow& row = state.row;
    if (const auto old = find_document_row(connection, row.space, key_, false))
        remove_chunks(connection, *old, change);
    row.pending = false;
    if (!update_document(connection, row)) return;  // the caller's update tells
    for (const ChunkRow& chunk : list_chunks(connection, row.space, row.info.id, 0))
        change.now.digest += digest_part(chunk.id, chunk.key_seal);
    const auto index = store_->index_of(row.space);
    change.added = index->current()
                       ? load_document_rows(connection, row.space, row.info.id, store_->model().dim)
                       : nullptr;
}

void DocumentWriterImpl::commit(const Flush& flush, const CallControl& control) {
    if (finished_)
        throw Error(Status::kState, "rpt",
                    "document \"" + key_ + "\" is finished; begin it again to replace it");
    control.check();
    check(flush);
    State next = state_;
    IndexChange change;
    store_->write([&](Connection& connection) {
        next = state_;
        change = {};
        auto space = read_space(connection, next.row.space);
        if (!space)
            throw Error(Status::kNotFound, "rpt",
                        "the space of document \"" + key_ + "\" was dropped; open it again");
        change.now = std::move(*space);
        change.old_generation = change.now.generation;
        if (next.row.info.id == 0) insert_document(connection, next.row);
        append_text(connection, next.row, next.tail, flush.text,
                    store_->options().compression_level);
        next.hash.update(flush.text.data(), flush.text.size());
        write_chunks(connection, next, flush, change, control);
        if (flush.finish) {
            next.row.info.finished = true;
            next.row.info.content_hash = Sha256(next.hash).finish();
            if (next.row.pending) publish_replacement(connection, next, change);
        }
        if (!update_document(connection, next.row))
            throw Error(Status::kNotFound, "rpt",
                        "document \"" + key_ + "\" was removed while it was written");
        if (next.row.pending) return;
        touch_space(connection, change.now);
        if (!change.removed.empty()) store_->index_of(next.row.space)->remove_cache_file();
        control.check();
    });
    state_ = std::move(next);
    finished_ = flush.finish;
    if (!state_.row.pending) store_->publish(change);
}

}  // namespace rpt::storage
