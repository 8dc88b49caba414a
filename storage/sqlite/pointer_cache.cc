#include "storage/sqlite/pointer_cache.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "storage/codec/blob_codec.h"
#include "storage/sqlite/pointer_table.h"
#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/space_eviction.h"

namespace rpt::storage {
namespace {

// The chunk with its tokens, from the database.
PointerRows load(Connection& connection, uint64_t chunk, uint32_t width) {
    const auto row = read_chunk_row(connection, chunk);
    if (!row)
        throw Error(Status::kCorrupt, "rpt",
                    "store \"" + connection.label() + "\": chunk " + std::to_string(chunk) +
                        " is in an index and has no row; restore a backup");
    PointerRows rows = read_pointers(connection, *row, width);
    rows.tokens = read_tokens(connection, *row);
    return rows;
}

uint64_t page_number(uint64_t chunk) {
    return chunk / PointerPage::kChunks;
}

bool has_just(const PointerPage& page, std::span<const VisibleChunk> chunks) {
    if (page.chunks() != chunks.size()) return false;
    for (size_t i = 0; i < chunks.size(); ++i)
        if (page.chunk(i) != chunks[i].chunk) return false;
    return true;
}

// A page of `chunks`: rows of `known`, unless it is null, and the others from the database.
std::shared_ptr<const PointerPage> make_page(Connection& connection, uint32_t width,
                                             std::span<const VisibleChunk> chunks,
                                             const PointerPage* known) {
    std::vector<PointerRows> loaded;
    loaded.reserve(chunks.size());  // slices borrow them
    std::vector<PointerSlice> slices;
    size_t at = 0;  // both ascend
    for (const VisibleChunk& chunk : chunks) {
        while (known != nullptr && at < known->chunks() && known->chunk(at) < chunk.chunk) ++at;
        if (known != nullptr && at < known->chunks() && known->chunk(at) == chunk.chunk)
            slices.push_back(known->slice(at));
        else
            slices.push_back(loaded.emplace_back(load(connection, chunk.chunk, width)));
    }
    return std::make_shared<const PointerPage>(slices);
}

}  // namespace

std::shared_ptr<const PointerSnapshot> PointerCache::last(const Space& space) const {
    const std::lock_guard guard(mutex_);
    return space.kept ? space.kept : space.given.lock();
}

std::shared_ptr<const PointerSnapshot> PointerCache::at(Connection& connection, const SpaceRow& row,
                                                        uint32_t width,
                                                        const CallControl& control) {
    std::shared_ptr<Space> space;
    {
        const std::lock_guard guard(mutex_);
        std::shared_ptr<Space>& known = spaces_[row.id];
        if (!known) known = std::make_shared<Space>();
        space = known;
        space->used = ++clock_;
    }
    if (auto snapshot = last(*space); snapshot && snapshot->generation >= row.generation)
        return snapshot;
    const std::lock_guard load_guard(space->load_mutex);
    const auto base = last(*space);
    if (base && base->generation >= row.generation) return base;
    auto snapshot = read(connection, row, width, control, base, space->documents);
    publish(*space, snapshot);
    return snapshot;
}

std::shared_ptr<const PointerSnapshot> PointerCache::read(
    Connection& connection, const SpaceRow& row, uint32_t width, const CallControl& control,
    const std::shared_ptr<const PointerSnapshot>& base, std::map<uint64_t, Document>& documents) {
    auto next = std::make_shared<PointerSnapshot>();
    next->generation = row.generation;
    next->width = width;
    if (width == 0) return next;
    const std::vector<VisibleChunk> chunks = list_visible_chunks(connection, row);
    size_t known = 0;  // page of the base; both ascend
    next->parts.reserve(chunks.size());
    for (size_t done = 0, end = 0; done < chunks.size(); done = end) {
        control.report(done, chunks.size());
        const uint64_t number = page_number(chunks[done].chunk);
        while (end < chunks.size() && page_number(chunks[end].chunk) == number) ++end;
        const auto here = std::span(chunks).subspan(done, end - done);
        while (base && known < base->pages.size() &&
               page_number(base->pages[known]->chunk(0)) < number)
            ++known;
        const bool old = base && known < base->pages.size() &&
                         page_number(base->pages[known]->chunk(0)) == number;
        if (old && has_just(*base->pages[known], here))
            next->add(base->pages[known]);
        else
            next->add(make_page(connection, width, here, old ? base->pages[known].get() : nullptr));
    }
    std::unordered_map<uint64_t, int32_t> first_token;  // of segments, whose chunks ascend
    for (size_t i = 0; i < chunks.size(); ++i) {
        const std::span<const int32_t> tokens = next->parts[i].rows().tokens;
        if (!tokens.empty()) first_token.try_emplace(chunks[i].segment, tokens.front());
    }
    // What follows a segment's last chunk: the segment behind it where it stands first.
    std::unordered_map<uint64_t, uint64_t> behind;
    std::map<uint64_t, Document> now;
    {
        Query query(connection,
                    "SELECT id, places FROM documents WHERE space_id = ? AND pending = 0 ORDER BY "
                    "id");
        query.bind(static_cast<int64_t>(row.id));
        while (query.step()) {
            Document& document = now[query.count(0)];
            document.digest = query.count(1);
            const auto old = documents.find(query.count(0));
            if (old != documents.end() && old->second.digest == document.digest) {
                document.segments = old->second.segments;
                continue;
            }
            for (const Place& place : list_places(connection, query.count(0), document.digest))
                document.segments.push_back(place.segment);
        }
    }
    for (const auto& [id, document] : now)
        for (size_t i = 0; i < document.segments.size(); ++i)
            behind.try_emplace(document.segments[i],
                               i + 1 < document.segments.size() ? document.segments[i + 1] : 0);
    documents = std::move(now);
    std::unordered_map<uint64_t, size_t> latest;  // part of a segment
    for (size_t i = 0; i < chunks.size(); ++i) {
        const auto before = latest.find(chunks[i].segment);
        const std::span<const int32_t> tokens = next->parts[i].rows().tokens;
        if (before != latest.end() && !tokens.empty())
            next->parts[before->second].next = tokens.front();
        latest[chunks[i].segment] = i;
    }
    for (const auto& [segment, part] : latest) {
        const auto follows = behind.find(segment);
        if (follows == behind.end()) continue;
        const auto token = first_token.find(follows->second);
        if (token != first_token.end()) next->parts[part].next = token->second;
    }
    return next;
}

void PointerCache::publish(Space& space, std::shared_ptr<const PointerSnapshot> snapshot) {
    std::shared_ptr<const PointerSnapshot> old;  // freed without the lock, like the others
    std::vector<std::shared_ptr<const PointerSnapshot>> freed;
    const std::lock_guard guard(mutex_);
    space.given = snapshot;
    old =
        std::exchange(space.kept, snapshot->memory_bytes <= limit_ ? std::move(snapshot) : nullptr);
    freed = take_oldest(spaces_, space, limit_);
}

void PointerCache::forget(uint64_t space, std::span<const uint64_t> chunks) {
    if (chunks.empty()) return;
    std::shared_ptr<const PointerSnapshot> old;  // freed without the lock
    const std::lock_guard guard(mutex_);
    const auto found = spaces_.find(space);
    if (found == spaces_.end()) return;
    if (!found->second->kept) return;
    std::vector<uint64_t> gone(chunks.begin(), chunks.end());
    std::ranges::sort(gone);
    auto next = std::make_shared<PointerSnapshot>();
    next->width = found->second->kept->width;
    for (const std::shared_ptr<const PointerPage>& page : found->second->kept->pages) {
        std::vector<PointerSlice> stay;
        for (size_t i = 0; i < page->chunks(); ++i)
            if (!std::ranges::binary_search(gone, page->chunk(i))) stay.push_back(page->slice(i));
        if (stay.size() == page->chunks())
            next->add(page);
        else if (!stay.empty())
            next->add(std::make_shared<const PointerPage>(stay));
    }
    // Generation 0: what follows what is not known, the next call finds out.
    old = std::exchange(found->second->kept, std::move(next));
}

void PointerCache::drop(uint64_t space) {
    const std::lock_guard guard(mutex_);
    spaces_.erase(space);
}

void PointerCache::clear() {
    const std::lock_guard guard(mutex_);
    spaces_.clear();
}

uint64_t PointerCache::bytes() const {
    const std::lock_guard guard(mutex_);
    return kept_bytes(spaces_);
}

}  // namespace rpt::storage
