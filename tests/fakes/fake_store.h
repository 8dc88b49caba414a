// A memory in memory: what the reader asks of a store, plainly done, with failures on order.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/store.h"

namespace rpt::fakes {

struct FakeDocument {
    storage::DocumentSpec spec;
    uint64_t id = 0;
    std::string text;
    std::map<uint64_t, storage::ChunkRecord> chunks;
    std::map<uint64_t, uint64_t> chunk_ids;
    bool finished = false;
};

class FakeStore;

class FakeSpace : public storage::Space, public std::enable_shared_from_this<FakeSpace> {
  public:
    FakeSpace(FakeStore& store, std::string owner, std::string collection)
        : store_(store), owner_(std::move(owner)), collection_(std::move(collection)) {}

    const std::string& owner() const override { return owner_; }
    const std::string& collection() const override { return collection_; }
    std::unique_ptr<storage::DocumentWriter> begin_document(
        const storage::DocumentSpec& spec) override;
    std::optional<storage::DocumentInfo> find_document(std::string_view key) override;
    void delete_document(std::string_view key) override {
        if (documents.erase(std::string(key)) == 0)
            throw Error(Status::kNotFound, "fake", "fake store: no such document");
    }
    void list_documents(std::string_view,
                        const std::function<bool(const storage::DocumentInfo&)>&) override {}
    std::string read_text(std::string_view key, uint64_t offset, size_t size) override {
        return documents.at(std::string(key)).text.substr(offset, size);
    }
    std::optional<storage::ChunkRecord> read_chunk(std::string_view key,
                                                   uint64_t ordinal) override {
        const auto& chunks = documents.at(std::string(key)).chunks;
        const auto found = chunks.find(ordinal);
        if (found == chunks.end()) return std::nullopt;
        return found->second;
    }

    std::map<std::string, FakeDocument> documents;
    FakeStore& store() { return store_; }

  private:
    FakeStore& store_;
    std::string owner_, collection_;
};

class FakeStore : public storage::Store {
  public:
    const std::string& path() const override { return path_; }
    const storage::ModelBinding& model() const override { return binding_; }
    bool read_only() const override { return false; }
    std::shared_ptr<storage::Space> open_space(std::string_view owner, std::string_view collection,
                                               bool) override {
        for (const auto& space : spaces)
            if (space->owner() == owner && space->collection() == collection) return space;
        spaces.push_back(
            std::make_shared<FakeSpace>(*this, std::string(owner), std::string(collection)));
        return spaces.back();
    }
    void drop_space(std::string_view, std::string_view, const CallControl&) override {}
    void list_spaces(const std::function<bool(const std::string&, const std::string&)>&) override {}

    std::vector<storage::Hit> search(std::span<const std::shared_ptr<storage::Space>> among,
                                     std::span<const float> query, size_t k,
                                     const storage::SearchFilter& filter,
                                     const CallControl&) override {
        ++searches;
        if (searches_to_failure > 0 && --searches_to_failure == 0)
            throw Error(Status::kIo, "fake", "fake store: this search fails");
        std::vector<storage::Hit> hits;
        for (const auto& space : among) {
            for (const auto& [key, document] : static_cast<FakeSpace&>(*space).documents) {
                for (const auto& [ordinal, record] : document.chunks) {
                    if (key == filter.exclude_key && (filter.exclude_bytes.empty() ||
                                                      filter.exclude_bytes.overlaps(record.bytes)))
                        continue;
                    double score = 0;
                    for (size_t i = 0; i < query.size(); ++i)
                        score += double(query[i]) * double(record.key[i]);
                    score /= std::sqrt(double(query.size()));
                    if (filter.min_score && score < double(*filter.min_score)) continue;
                    hits.push_back({document.chunk_ids.at(ordinal), float(score)});
                }
            }
        }
        std::sort(hits.begin(), hits.end(), [](const storage::Hit& a, const storage::Hit& b) {
            return a.score != b.score ? a.score > b.score : a.chunk_id < b.chunk_id;
        });
        if (hits.size() > k) hits.resize(k);
        if (after_search) after_search();
        return hits;
    }
    std::optional<storage::HitInfo> describe(uint64_t chunk_id) override {
        std::optional<storage::HitInfo> out;
        visit(chunk_id, [&](FakeSpace& space, FakeDocument& document, uint64_t ordinal) {
            storage::HitInfo info;
            info.chunk_id = chunk_id;
            info.document_id = document.id;
            info.ordinal = ordinal;
            info.bytes = document.chunks.at(ordinal).bytes;
            if (const auto next = document.chunks.find(ordinal + 1); next != document.chunks.end())
                info.next_bytes = next->second.bytes;
            info.owner = space.owner();
            info.collection = space.collection();
            info.key = document.spec.key;
            out = info;
        });
        return out;
    }
    std::vector<storage::HitStates> load_states(std::span<const storage::Hit> hits) override {
        std::vector<storage::HitStates> out;
        for (const storage::Hit& hit : hits) {
            storage::HitStates states;
            visit(hit.chunk_id, [&](FakeSpace&, FakeDocument& document, uint64_t ordinal) {
                states.chunk = copy(document.chunks.at(ordinal));
                if (const auto next = document.chunks.find(ordinal + 1);
                    next != document.chunks.end())
                    states.successor = copy(next->second);
            });
            out.push_back(std::move(states));
        }
        return out;
    }
    std::string read_hit_text(uint64_t chunk_id, bool successor) override {
        std::string out;
        visit(chunk_id, [&](FakeSpace&, FakeDocument& document, uint64_t ordinal) {
            const ByteSpan bytes = document.chunks.at(ordinal + successor).bytes;
            out = document.text.substr(bytes.begin, bytes.size());
        });
        return out;
    }
    void sync() override {}
    storage::StoreStats stats() override { return {}; }
    void rebuild_index(const CallControl&) override {}
    void close() override {}

    std::vector<std::shared_ptr<FakeSpace>> spaces;
    uint64_t next_chunk_id = 1;
    int searches = 0, searches_to_failure = 0, commits = 0, commits_to_failure = 0;
    std::function<void()> after_search;  // what happens between a search and the use of its hits

  private:
    static std::shared_ptr<const std::vector<float>> copy(const storage::ChunkRecord& record) {
        return std::make_shared<const std::vector<float>>(record.states);
    }
    template <typename Visit>
    void visit(uint64_t chunk_id, const Visit& with) {
        for (const auto& space : spaces)
            for (auto& [key, document] : space->documents)
                for (const auto& [ordinal, id] : document.chunk_ids)
                    if (id == chunk_id) return with(*space, document, ordinal);
    }
    std::string path_ = "fake";
    storage::ModelBinding binding_;
};

inline std::optional<storage::DocumentInfo> FakeSpace::find_document(std::string_view key) {
    const auto found = documents.find(std::string(key));
    if (found == documents.end()) return std::nullopt;
    const FakeDocument& document = found->second;
    storage::DocumentInfo info;
    info.id = document.id;
    info.key = document.spec.key;
    info.bytes = document.text.size();
    info.bytes_searchable =
        document.chunks.empty() ? 0 : document.chunks.rbegin()->second.bytes.end;
    info.chunks = document.chunks.size();
    for (const auto& [ordinal, record] : document.chunks) info.tokens += record.tokens.size();
    info.finished = document.finished;
    return info;
}

class FakeDocumentWriter : public storage::DocumentWriter {
  public:
    FakeDocumentWriter(std::shared_ptr<FakeSpace> space, const storage::DocumentSpec& spec)
        : space_(std::move(space)), key_(spec.key) {
        FakeDocument& document = space_->documents[key_];
        document = {};
        document.spec = spec;
        document.id = space_->documents.size();
    }
    void commit(const storage::Flush& flush, const CallControl&) override {
        FakeStore& store = space_->store();
        ++store.commits;
        if (store.commits_to_failure > 0 && --store.commits_to_failure == 0)
            throw Error(Status::kNoSpace, "fake", "fake store: no space left");
        FakeDocument& document = space_->documents.at(key_);
        if (document.finished)
            throw Error(Status::kState, "fake", "fake store: document is finished");
        std::erase_if(document.chunks, [&](const auto& entry) {
            return entry.second.provisional && entry.first >= flush.drop_from_ordinal;
        });
        for (const storage::ChunkRecord& record : flush.chunks) {
            const auto old = document.chunks.find(record.ordinal);
            if (old != document.chunks.end())
                throw Error(Status::kInternal, "fake", "fake store: a chunk was committed twice");
            document.chunks[record.ordinal] = record;
            document.chunk_ids[record.ordinal] = store.next_chunk_id++;
        }
        std::erase_if(document.chunk_ids,
                      [&](const auto& entry) { return !document.chunks.contains(entry.first); });
        document.text += flush.text;
        document.finished = flush.finish;
    }
    storage::DocumentInfo info() const override { return *space_->find_document(key_); }

  private:
    std::shared_ptr<FakeSpace> space_;
    std::string key_;
};

inline std::unique_ptr<storage::DocumentWriter> FakeSpace::begin_document(
    const storage::DocumentSpec& spec) {
    if (!spec.replace && documents.contains(spec.key))
        throw Error(Status::kExists, "fake", "fake store: the document exists");
    return std::make_unique<FakeDocumentWriter>(shared_from_this(), spec);
}

}  // namespace rpt::fakes
