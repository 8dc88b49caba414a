#include "lab/ways/passage_trial.h"

#include <ctime>
#include <string>

#include "base/error.h"
#include "core/model/reading.h"
#include "core/reader/mass_search.h"
#include "lab/engine/torch_factory.h"

namespace rpt::ways {
namespace {

// One session reads the context for all ways that are made of these.
constexpr uint32_t kShared = model::kReadCopy | model::kReadUpper;

// Of all threads, so other programs on the machine do not count.
double processor_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

}  // namespace

PassageTrial::PassageTrial(std::shared_ptr<const engine::Engine> engine,
                           std::shared_ptr<const engine::Engine> rounded, const Passage& passage)
    : engine_(std::move(engine)), rounded_(std::move(rounded)), passage_(passage) {
    tokens_.push_back(engine_->tokenizer()->bos());
    for (const text::Token& token :
         engine_->tokenizer()->encode(passage.context + passage.scored()))
        tokens_.push_back(token.id);
}

PassageTrial::Reader PassageTrial::new_reader(uint32_t reading, const Way& way) const {
    reader::SessionOptions options;
    options.reading = reading;
    if ((reading & model::kReadCca) != 0) options.retrieve.k = way.k;
    const auto chooser = std::make_shared<TurnedChooser>();
    if (way.chooses_chunks() || reading != way.reading) options.chooser = chooser;
    Reader made{chooser, std::make_unique<reader::Session>(
                             way.four_bits ? rounded_ : engine_, nullptr,
                             std::vector<std::shared_ptr<storage::Space>>{}, options)};
    if (reading == kShared) made.session->choose_reading(model::kReadCopy);
    made.session->read(passage_.context);
    made.session->score("", true);  // up to the last whole chunk
    return made;
}

PassageTrial::Reader& PassageTrial::reader_of(const Way& way) {
    const bool shared = (way.reading & ~kShared) == 0 && engine_->config().passes_neighbours();
    const uint32_t alone = way.reading != 0 ? way.reading : model::kReadCopy;
    const uint32_t reading = shared ? kShared : alone;
    Reader& reader = readers_[{reading, way.four_bits}];
    if (!reader.session || (reading & model::kReadCca) != 0) reader = new_reader(reading, way);
    if (shared) reader.session->choose_reading(alone);
    return reader;
}

std::shared_ptr<const reader::ChunkChooser> PassageTrial::chooser_of(Chooser kind) {
    if (kind == Chooser::kNothing) return nullptr;
    std::shared_ptr<const reader::ChunkChooser>& known = choosers_[kind];
    if (known) return known;
    const auto by_mass = std::make_shared<const reader::MassSearch>(
        *engine_, nullptr, std::vector<std::shared_ptr<storage::Space>>{});
    switch (kind) {
        case Chooser::kOwn:
            known = by_mass;
            break;
        case Chooser::kWords:
            known = std::make_shared<const WordChooser>(
                tokens_, static_cast<size_t>(engine_->config().chunk));
            break;
        case Chooser::kOracle:
            known = std::make_shared<const FutureChooser>(
                by_mass, pointer_queries(*engine_, tokens_),
                static_cast<size_t>(engine_->config().pointer_width));
            break;
        case Chooser::kRandom:
            known = std::make_shared<const RandomChooser>(tokens_.size());
            break;
        case Chooser::kNothing:
            break;
    }
    return known;
}

Tried PassageTrial::run(const Way& way, bool twice) {
    const auto chooser = way.chooses_chunks() ? chooser_of(way.chooser) : nullptr;
    const uint32_t k = way.k != 0 ? way.k : static_cast<uint32_t>(engine_->config().neighbours);
    Tried tried;
    if ((way.reading & model::kReadText) != 0) {
        // moves on with what is scored
        const Reader reader = new_reader(way.reading, way);
        reader.chooser->turn_to(chooser.get(), k);
        const double begin = processor_seconds();
        for (const std::string& piece : passage_.pieces) {
            const reader::Score score = reader.session->score(piece, false);
            tried.nats += score.nats;
            tried.tokens += score.tokens;
            reader.session->read(piece);
        }
        tried.seconds = processor_seconds() - begin;
        return tried;
    }
    const Reader& reader = reader_of(way);
    reader.chooser->turn_to(chooser.get(), k);
    engine::forget_neighbours(*engine_);
    const std::string scored = passage_.scored();
    const auto seconds_of_score = [&] {
        const double begin = processor_seconds();
        const reader::Score score = reader.session->score(scored, way.reading == 0);
        tried.nats = score.nats;
        tried.tokens = score.tokens;
        return processor_seconds() - begin;
    };
    tried.seconds = seconds_of_score();
    if (twice) tried.seconds_again = seconds_of_score();
    reader.chooser->turn_to(nullptr, 0);
    return tried;
}

}  // namespace rpt::ways
