#include <time.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>

#include "core/reader/document_writer.h"
#include "core/reader/retrieval.h"
#include "core/reader/segment_encoder.h"
#include "tests/fakes/fake_engine.h"
#include "tests/many/isolation.h"

namespace rpt::many {
namespace {

// A fake model that takes its time, so that encoding less would show.
class SlowEngine : public fakes::FakeEngine {
  public:
    uint32_t token_cost_us = 0;
    std::vector<engine::EncodedChunk> encode_segment(
        std::span<const int32_t> context, std::span<const int32_t> tokens) const override {
        const auto end = std::chrono::steady_clock::now() +
                         std::chrono::microseconds(token_cost_us * tokens.size());
        auto chunks = FakeEngine::encode_segment(context, tokens);
        while (std::chrono::steady_clock::now() < end) {
        }
        return chunks;
    }
};

// About 150 bytes, the same number for every seed.
std::string text_of(uint64_t seed) {
    static constexpr const char* kWords[] = {"chunk ", "moves ", "reads ", "align ",
                                             "stops ", "wrote ", "leave ", "begin "};
    std::string text;
    for (size_t i = 0; i < 25; ++i) text += kWords[fakes::mix(seed, i) % 8];
    return text;
}

class Secrets {
  public:
    Secrets(const SecretOptions& options, const std::string& name, uint64_t cache_bytes)
        : options_(options), engine_(std::make_shared<SlowEngine>()) {
        path_ = options.path + "/" + name;
        storage::StoreOptions choices;
        choices.create = true;
        choices.durability = storage::Durability::kNone;
        choices.cache_bytes = cache_bytes;
        const model::ModelConfig& config = engine_->config();
        choices.model =
            storage::ModelBinding{engine_->fingerprint(), uint32_t(config.dim),
                                  uint32_t(config.chunk), reader::default_context_tokens(config)};
        store_ = storage::Store::open(path_, choices);
        decoy_ = storage::Store::open(path_ + "_decoy", choices);
        for (const char* owner : {"a", "b"}) {
            spaces_.push_back(store_->open_space(owner, "c", true));
            decoys_.push_back(decoy_->open_space(owner, "c", true));
        }
        for (uint64_t i = 0; i < 100; ++i)
            for (const auto& spaces : {spaces_, decoys_})
                for (const SpaceRef& space : spaces)
                    add(space, std::string("d").append(std::to_string(i)),
                        text_of(fakes::mix(options.seed, 1000000 + i)));
    }
    ~Secrets() {
        spaces_.clear();
        decoys_.clear();
        store_->close();
        decoy_->close();
        std::filesystem::remove_all(path_);
        std::filesystem::remove_all(path_ + "_decoy");
    }

    // Searching: the first question for a text (`repeat` 0) or the next one.
    Tell searching(const std::string& what, int repeat) {
        return tell(what, options_.samples,
                    [&](const std::string& fresh, const std::string& other, bool same) {
                        prepare(0, fresh, other, same);
                        for (int i = 0; i < repeat; ++i) ask(spaces_[1], fresh);
                        return timed([&] { ask(spaces_[1], fresh); });
                    });
    }
    // Nobody stores either text; the other owner asked for one of them a moment ago.
    Tell asking(const std::string& what) {
        return tell(what, options_.ingest_samples,
                    [&](const std::string& fresh, const std::string& other, bool same) {
                        add(spaces_[0], "secret", text_of(fakes::mix(options_.seed, ++n_third_)));
                        ask(spaces_[0], same ? fresh : other);
                        return timed([&] { ask(spaces_[1], fresh); });
                    });
    }
    // Storing what `other` stored.
    Tell storing(const std::string& what, size_t other) {
        engine_->token_cost_us = options_.token_cost_us;
        return tell(what, options_.ingest_samples,
                    [&](const std::string& fresh, const std::string& another, bool same) {
                        prepare(other, fresh, another, same);
                        const double took = timed([&] { add(spaces_[1], "mine", fresh); });
                        spaces_[1]->delete_document("mine");
                        return took;
                    });
    }

  private:
    using SpaceRef = std::shared_ptr<storage::Space>;

    // An owner stores one of the texts, and in another store, in random order, one stores the other
    // text: or the processor would remember, in its caches and predictors, which text it read last.
    void prepare(size_t owner, const std::string& fresh, const std::string& other, bool same) {
        const bool here_first = fakes::mix(options_.seed + 9, ++n_prepared_) % 2 == 0;
        for (const bool here : {here_first, !here_first}) {
            const SpaceRef& space = here ? spaces_[owner] : decoys_[owner];
            const std::string& text = here == same ? fresh : other;
            add(space, "secret", text);
        }
    }
    void add(const SpaceRef& space, const std::string& key, const std::string& text) {
        storage::DocumentSpec spec;
        spec.key = key;
        spec.replace = true;
        reader::DocumentWriter writer(engine_, space, spec, text::Utf8Gate::Mode::kRefuse,
                                      store_->model().context_tokens);
        writer.append(text);
        writer.finish();
    }
    void ask(const SpaceRef& space, const std::string& text) {
        reader::RetrieveOptions options;
        options.with_text = true;
        std::vector<storage::Hit> hits;
        const bool here = std::ranges::find(spaces_, space) != spaces_.end();
        storage::Store& store = here ? *store_ : *decoy_;
        for (const auto& chunk : reader::retrieve(*engine_, {space}, store, text, options))
            hits.push_back({chunk.info.chunk_id, chunk.score});
        store.load_states(hits);
    }
    template <typename Work>
    static double timed(const Work& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - begin;
        return took.count();
    }

    // trial(fresh text, another, whether the fresh one is stored) gives microseconds.
    template <typename Trial>
    Tell tell(const std::string& what, uint32_t samples, const Trial& trial) {
        std::vector<double> times[2];  // another text stored; the same one
        for (uint64_t i = 0; times[0].size() < samples || times[1].size() < samples; ++i) {
            const uint64_t seed = fakes::mix(fakes::mix(options_.seed, what.size()), i);
            const size_t same = fakes::mix(seed, 77) % 2;
            times[same].push_back(trial(text_of(seed), text_of(seed + 1), same == 1));
        }
        for (auto& of_class : times) of_class.resize(samples);
        return judge(what, times[1], times[0]);
    }
    Tell judge(const std::string& what, const std::vector<double>& stored,
               const std::vector<double>& other) const {
        Tell out;
        out.what = what;
        out.samples = stored.size();
        out.area = area_under_curve(stored, other);
        std::vector<double> areas;
        uint64_t n = 0;
        const auto resampled = [&](const std::vector<double>& from) {
            std::vector<double> to(from.size());
            for (double& value : to) value = from[fakes::mix(options_.seed + 5, ++n) % from.size()];
            return to;
        };
        for (uint32_t i = 0; i < options_.resamples; ++i)
            areas.push_back(area_under_curve(resampled(stored), resampled(other)));
        std::ranges::sort(areas);
        if (!areas.empty()) {
            out.low = areas[areas.size() * 25 / 1000];
            out.high = areas[areas.size() - 1 - areas.size() * 25 / 1000];
        }
        const auto median = [](std::vector<double> values) {
            std::ranges::nth_element(values, values.begin() + ptrdiff_t(values.size() / 2));
            return values[values.size() / 2];
        };
        out.stored_us_p50 = median(stored);
        out.other_us_p50 = median(other);
        return out;
    }

    const SecretOptions options_;
    std::string path_;
    std::shared_ptr<SlowEngine> engine_;
    std::shared_ptr<storage::Store> store_, decoy_;
    std::vector<SpaceRef> spaces_, decoys_;  // of two owners
    uint64_t n_third_ = 1u << 30, n_prepared_ = 0;
};

}  // namespace

double area_under_curve(std::vector<double> a, std::vector<double> b) {
    std::ranges::sort(a);
    std::ranges::sort(b);
    double pairs = 0;
    size_t less = 0, not_greater = 0;  // of `a`, than the element of `b`
    for (const double value : b) {
        while (less < a.size() && a[less] < value) ++less;
        while (not_greater < a.size() && a[not_greater] <= value) ++not_greater;
        pairs += double(less) + double(not_greater - less) / 2;
    }
    return pairs / double(a.size()) / double(b.size());
}

std::vector<Tell> time_secrets(const SecretOptions& options) {
    std::vector<Tell> tells;
    // With one byte of cache no states are kept in memory.
    tells.push_back(Secrets(options, "cold", 1).searching("search, states from the disk", 0));
    tells.push_back(Secrets(options, "first", 0).searching("search, first time", 0));
    tells.push_back(Secrets(options, "warm", 0).searching("search, states in memory", 1));
    tells.push_back(
        Secrets(options, "asking", 0).asking("search, another asked and did not store"));
    tells.push_back(Secrets(options, "store", 0).storing("store", 0));
    tells.push_back(Secrets(options, "control", 0).storing("store, control: one's own text", 1));
    return tells;
}

}  // namespace rpt::many
