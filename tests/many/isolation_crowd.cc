#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "core/reader/segment_encoder.h"
#include "core/reader/session.h"
#include "tests/fakes/fake_engine.h"
#include "tests/many/isolation.h"
#include "tests/many/marked_store.h"

namespace rpt::many {
namespace {

constexpr uint64_t kCommonDocuments = 200;
constexpr uint32_t kOwnDocuments = 1000000;  // numbers of own documents begin here

std::string document_key(uint64_t document) {
    return std::string("d").append(std::to_string(document));
}

class Random {
  public:
    explicit Random(uint64_t seed) : seed_(seed) {}
    uint64_t next() { return fakes::mix(seed_, ++n_); }
    uint64_t below(uint64_t n) { return next() % n; }
    bool once_in(uint64_t n) { return below(n) == 0; }

  private:
    uint64_t seed_, n_ = 0;
};

// Which spaces one operation may see, and what it saw. One thread.
struct Asked {
    uint32_t owner = 0;
    std::set<uint32_t> collections;
    CrowdResult* result = nullptr;

    void judge(bool allowed, const std::string& what) const {
        if (allowed) return;
        if (result->foreign++ == 0) result->first_foreign = owner_name(owner) + " got " + what;
    }
    void judge_states(std::span<const float> states, const char* what) const {
        if (states.empty()) return;
        ++result->chunks_seen;
        const Mark mark = read_mark(states);
        judge(mark.owner == owner && collections.contains(mark.collection),
              std::string(what) + " of " + owner_name(mark.owner) + "/" +
                  collection_name(mark.collection));
    }
    void judge_info(const storage::HitInfo& info) const {
        judge(
            info.owner == owner_name(owner) &&
                std::ranges::any_of(
                    collections, [&](uint32_t c) { return info.collection == collection_name(c); }),
            "a hit in " + info.owner + "/" + info.collection);
    }
    void judge_text(const std::string& text) const {
        judge(text_allows(text, owner_name(owner)), "the text \"" + text.substr(0, 20) + "\"");
    }
};

// A fake model that looks at the marks of all neighbours it is given. One thread.
class WatchingEngine : public fakes::FakeEngine {
  public:
    using FakeEngine::FakeEngine;
    const Asked* asked = nullptr;
    std::unique_ptr<engine::Stream> new_stream() const override;
};

class WatchingStream : public fakes::FakeStream {
  public:
    explicit WatchingStream(const WatchingEngine& engine) : FakeStream(engine), watcher_(&engine) {}
    std::vector<engine::NeighbourUse> set_neighbours(
        uint64_t chunk, std::span<const engine::Neighbour> neighbours) override {
        watch(neighbours);
        return FakeStream::set_neighbours(chunk, neighbours);
    }
    std::vector<engine::NeighbourUse> set_opening_neighbours(
        std::span<const engine::Neighbour> neighbours) override {
        watch(neighbours);
        return FakeStream::set_opening_neighbours(neighbours);
    }
    std::unique_ptr<engine::Stream> fork() const override {
        return std::make_unique<WatchingStream>(*this);
    }

  private:
    void watch(std::span<const engine::Neighbour> neighbours) const {
        for (const engine::Neighbour& neighbour : neighbours) {
            watcher_->asked->judge_states(neighbour.chunk, "a neighbour");
            watcher_->asked->judge_states(neighbour.successor, "a neighbour's successor");
        }
    }
    const WatchingEngine* watcher_;
};

std::unique_ptr<engine::Stream> WatchingEngine::new_stream() const {
    return std::make_unique<WatchingStream>(*this);
}

// Shared by the threads.
class Crowd {
  public:
    explicit Crowd(const CrowdOptions& options)
        : options_(options), tokenizer_(fakes::small_tokenizer()) {
        const fakes::FakeEngine engine(tokenizer_);
        storage::StoreOptions choices;
        choices.create = true;
        choices.durability = storage::Durability::kNone;
        choices.packing.codec = storage::StateCodec::kInt8;  // states carry marks
        choices.flat_limit = 200;                            // the largest owners have graphs
        model_.fingerprint = engine.fingerprint();
        model_.dim = uint32_t(engine.config().dim);
        model_.chunk_tokens = uint32_t(engine.config().chunk);
        model_.context_tokens = reader::default_context_tokens(engine.config());
        choices.model = model_;
        store_ = storage::Store::open(options.path, choices);
        for (uint32_t o = 0; o < options.owners; ++o)
            for (uint32_t c = 0; c < kCollections; ++c)
                spaces_.push_back(store_->open_space(owner_name(o), collection_name(c), true));
        Random random(options.seed);
        for (uint32_t o = 0; o < options.owners; ++o)
            for (uint32_t d = 0; d < size_of(o); ++d) change(random, o);
    }

    CrowdResult run() {
        const auto begin = std::chrono::steady_clock::now();
        std::atomic<bool> stop{false};
        CrowdResult all;
        std::thread writer([&] {
            Random random(options_.seed + 1);
            while (!stop) {
                guarded([&] { change(random, any_owner(random)); });
                ++all.changes;
                std::this_thread::sleep_for(std::chrono::microseconds(options_.pause_us));
            }
        });
        std::vector<CrowdResult> results(options_.threads);
        std::vector<std::thread> threads;
        for (uint32_t i = 0; i < options_.threads; ++i)
            threads.emplace_back([&, i] { guarded([&] { ask_many(i, results[i]); }); });
        for (std::thread& thread : threads) thread.join();
        stop = true;
        writer.join();
        if (failure_) std::rethrow_exception(failure_);
        for (const CrowdResult& one : results) add(all, one);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        all.seconds = took.count();
        const auto checking = std::chrono::steady_clock::now();
        store_->check(storage::CheckLevel::kFull, [&](const storage::Finding& finding) {
            all.findings += finding.severity == storage::Finding::Severity::kDamage;
        });
        const std::chrono::duration<double> checked = std::chrono::steady_clock::now() - checking;
        all.check_seconds = checked.count();
        const storage::StoreStats stats = store_->stats();
        all.documents = stats.documents;
        all.chunks = stats.chunks;
        const auto answers = exact_answers();
        reopen();
        all.stale = exact_answers() != answers;
        spaces_.clear();
        store_->close();
        return all;
    }

  private:
    // Of the owners with most, whose indexes were changed and built at the same time.
    std::vector<std::vector<uint64_t>> exact_answers() const {
        storage::SearchFilter exact;
        exact.exact = true;
        std::vector<std::vector<uint64_t>> all;
        for (size_t i = 0; i < std::min<size_t>(spaces_.size(), 80); ++i) {
            auto& chunks = all.emplace_back();
            for (const storage::Hit& hit :
                 store_->search({&spaces_[i], 1}, key_of("x", model_.dim), 5000, exact))
                chunks.push_back(hit.chunk_id);
        }
        return all;
    }
    // Without the index files: what is searched comes from the database alone.
    void reopen() {
        spaces_.clear();
        store_->close();
        std::filesystem::remove_all(options_.path + "/index");
        storage::StoreOptions choices;
        choices.read_only = true;
        store_ = storage::Store::open(options_.path, choices);
        for (uint32_t o = 0; o < options_.owners; ++o)
            for (uint32_t c = 0; c < kCollections; ++c)
                spaces_.push_back(store_->open_space(owner_name(o), collection_name(c), false));
    }

    static void add(CrowdResult& all, const CrowdResult& one) {
        all.searches += one.searches;
        all.sessions += one.sessions;
        all.chunks_seen += one.chunks_seen;
        all.empty += one.empty;
        all.gone += one.gone;
        if (all.foreign == 0) all.first_foreign = one.first_foreign;
        all.foreign += one.foreign;
    }

    void guarded(const std::function<void()>& work) {
        try {
            work();
        } catch (...) {
            const std::lock_guard guard(failure_mutex_);
            if (!failure_) failure_ = std::current_exception();
        }
    }

    // Documents at the beginning: a few owners have much, most have little.
    uint32_t size_of(uint32_t owner) const { return 4 + 600 / (owner + 1); }
    uint32_t any_owner(Random& random) const {
        const uint64_t n = options_.owners;
        return uint32_t(random.once_in(2) ? random.below(n) : random.below(1 + random.below(n)));
    }
    const std::shared_ptr<storage::Space>& space(uint32_t owner, uint32_t collection) const {
        return spaces_[owner * kCollections + collection];
    }

    // Adds, replaces or deletes a document of an owner.
    void change(Random& random, uint32_t owner) {
        const Mark mark{owner, uint32_t(random.below(kCollections))};
        storage::Space& here = *space(mark.owner, mark.collection);
        const bool common = random.once_in(2);
        const uint64_t document = common ? random.below(kCommonDocuments)
                                         : kOwnDocuments + random.below(2 * size_of(owner));
        const std::string key = document_key(document);
        if (random.once_in(4)) {
            try {
                here.delete_document(key);
            } catch (const Error& error) {
                if (error.status() != Status::kNotFound) throw;
            }
            return;
        }
        const size_t n = 2 + random.below(8);
        put_document(
            here, model_, mark, key,
            common ? common_texts(document, n) : own_texts(mark, document, random.below(1000), n),
            true);
    }

    // Somebody's text: the asker's, another's, or everybody's.
    std::string some_text(Random& random, const Asked& asked) const {
        if (random.once_in(2)) return common_texts(random.below(kCommonDocuments), 3)[2];
        const uint32_t owner = random.once_in(2) ? asked.owner : any_owner(random);
        const Mark mark{owner, uint32_t(random.below(kCollections))};
        return own_texts(mark, kOwnDocuments + random.below(2 * size_of(owner)), random.below(1000),
                         2)[1];
    }

    static storage::SearchFilter some_filter(Random& random) {
        storage::SearchFilter filter;
        filter.exact = random.once_in(4);
        if (random.once_in(4)) filter.exclude_key = document_key(random.below(kCommonDocuments));
        if (random.once_in(8)) filter.exclude_bytes = {0, 60};
        if (random.once_in(4)) filter.max_per_document = 1 + uint32_t(random.below(2));
        if (random.once_in(8)) filter.min_score = 0.1f;
        return filter;
    }

    void ask_many(uint32_t thread, CrowdResult& result) {
        Random random(options_.seed + 100 + thread);
        const auto engine = std::make_shared<WatchingEngine>(tokenizer_);
        for (uint64_t i = thread; i < options_.operations; i += options_.threads) {
            Asked asked;
            asked.owner = any_owner(random);
            asked.result = &result;
            std::vector<std::shared_ptr<storage::Space>> among;
            for (uint64_t n = 1 + random.below(kCollections); n > 0; --n) {
                const auto collection = uint32_t(random.below(kCollections));
                asked.collections.insert(collection);
                among.push_back(space(asked.owner, collection));  // the same twice is legal
            }
            engine->asked = &asked;
            if (random.once_in(options_.session_every)) {
                hold_session(random, engine, among, asked);
            } else {
                search(random, among, asked);
            }
        }
    }

    void search(Random& random, const std::vector<std::shared_ptr<storage::Space>>& among,
                const Asked& asked) {
        for (const std::shared_ptr<storage::Space>& one : among) {
            const auto snapshot = store_->pointers(one);
            if (snapshot->parts.empty()) continue;
            const uint64_t chunk = snapshot->parts[random.below(snapshot->parts.size())].chunk();
            if (const auto info = store_->describe(chunk)) {
                asked.judge_info(*info);
            } else {
                ++asked.result->gone;
            }
        }
        const std::vector<float> query = key_of(some_text(random, asked), model_.dim);
        const size_t k = random.once_in(16) ? 64 : 1 + random.below(8);
        const auto hits = store_->search(among, query, k, some_filter(random));
        ++asked.result->searches;
        asked.result->empty += hits.empty();
        for (const storage::HitStates& states : store_->load_states(hits)) {
            if (states.chunk) asked.judge_states(*states.chunk, "states");
            if (states.successor) asked.judge_states(*states.successor, "a successor's states");
        }
        for (const storage::Hit& hit : hits) {
            const auto info = store_->describe(hit.chunk_id);
            asked.result->gone += !info;
            if (!info) continue;
            asked.judge_info(*info);
            try {
                asked.judge_text(store_->read_hit_text(hit.chunk_id, false));
                if (!info->next_bytes.empty())
                    asked.judge_text(store_->read_hit_text(hit.chunk_id, true));
            } catch (const Error& error) {
                if (error.status() != Status::kNotFound) throw;
            }
        }
    }

    void hold_session(Random& random, const std::shared_ptr<WatchingEngine>& engine,
                      const std::vector<std::shared_ptr<storage::Space>>& among,
                      const Asked& asked) {
        reader::SessionOptions options;
        options.self_memory = false;  // the session's own states bear no mark
        reader::Session session(engine, store_, among, options);
        session.read(some_text(random, asked));
        ++asked.result->sessions;
        const auto judge = [&](const std::vector<reader::RetrievedChunk>& hits) {
            for (const reader::RetrievedChunk& hit : hits) {
                asked.judge_info(hit.info);
                if (!hit.text.empty()) asked.judge_text(hit.text);
                if (!hit.next_text.empty()) asked.judge_text(hit.next_text);
            }
        };
        if (random.once_in(2)) {
            session.score(some_text(random, asked), false, {},
                          [&](const reader::ScoredChunk& chunk) {
                              if (chunk.hits != nullptr) judge(*chunk.hits);
                          });
        } else {
            reader::GenerateOptions generate;
            generate.max_tokens = 12;
            generate.temperature = 1;
            generate.seed = 1 + random.next();
            generate.retrieve.with_text = true;
            generate.retrieve.filter = some_filter(random);
            session.generate(generate, [&](const reader::GenerateEvent& event) {
                if (event.hits != nullptr) judge(*event.hits);
                return 0;
            });
        }
        engine->neighbours_set.clear();
    }

    const CrowdOptions options_;
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    storage::ModelBinding model_;
    std::shared_ptr<storage::Store> store_;
    std::vector<std::shared_ptr<storage::Space>> spaces_;  // [owner][collection]
    std::mutex failure_mutex_;                             // guards failure_
    std::exception_ptr failure_;
};

}  // namespace

CrowdResult ask_crowd(const CrowdOptions& options) {
    return Crowd(options).run();
}

}  // namespace rpt::many
