#include "core/reader/session_impl.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "core/reader/gap_context.h"
#include "core/reader/mass_search.h"

namespace rpt::reader {

namespace {

constexpr size_t kBorders = 3;          // of blocks: rewinding within two blocks is cheap
constexpr size_t kMarkDistance = 1024;  // bytes; a rewind encodes about so much again
constexpr size_t kMarkTail = 4096;      // bytes; a longer tail is not worth a copy

bool begins_code_point(const std::string& text, uint64_t offset) {
    return offset == text.size() || (uint8_t(text[offset]) & 0xC0) != 0x80;
}

}  // namespace

uint32_t reading_of(const model::ModelConfig& config) {
    if (config.reading != 0) return config.reading;
    const uint32_t copy = config.has_pointers() ? kReadCopy : 0;
    return copy != 0 && !config.has_cca() ? copy : copy | kReadCca;
}

Session::Impl::Impl(std::shared_ptr<const engine::Engine> engine,
                    std::shared_ptr<storage::Store> store,
                    std::vector<std::shared_ptr<storage::Space>> spaces,
                    const SessionOptions& options)
    : engine_(std::move(engine)),
      store_(std::move(store)),
      spaces_(std::move(spaces)),
      options_(options),
      sequence_(engine_->tokenizer()->bos()),
      encoder_(engine_->tokenizer(), kLongestWord),
      made_for_(options.reading != 0 ? options.reading : reading_of(engine_->config())),
      reading_(made_for_),
      asked_(size_t(engine_->config().pointer_width)) {
    if (engine_->tokenizer()->bos() < 0)
        throw Error(Status::kUnsupported, "rpt",
                    "model: its tokenizer lacks a token for the begin of a text");
    if (!spaces_.empty() && store_ == nullptr)
        throw Error(Status::kArgument, "rpt", "session: spaces need their store");
    const model::ModelConfig& config = engine_->config();
    // Where keys are made above the lower half, own chunks have none and are found by mass alone.
    const bool keys =
        config.has_retriever() && (!config.passes_neighbours() || config.points_low());
    if (options_.self_memory && (keys || reads(kReadUpper)))
        own_ = std::make_unique<OwnPast>(size_t(config.key_width()), config.key_features > 0);
    if ((reading_ & ~kReadKnown) != 0)
        throw Error(
            Status::kArgument, "rpt",
            "session: there is no way of reading " + std::to_string(reading_ & ~kReadKnown));
    if (reads(kReadCopy)) {
        if (!config.has_pointers())
            throw Error(Status::kUnsupported, "rpt",
                        "session: this model has no pointer keys and cannot copy; read in another "
                        "way");
        copy_ = std::make_unique<CopyReader>(*engine_, store_.get(), spaces_);
    }
    if (reads(kReadUpper)) {
        if (!config.passes_neighbours())
            throw Error(Status::kUnsupported, "rpt",
                        "session: this model's upper layers read no chunks; read in another way");
    }
    if (reads(kReadText) && !config.has_pointers())
        throw Error(Status::kUnsupported, "rpt",
                    "session: this model has no pointer keys to choose text by; read in another "
                    "way");
    if (reads(kReadUpper) || reads(kReadText))
        chooser_ = options.chooser
                       ? options.chooser
                       : std::make_shared<const MassSearch>(*engine_, store_.get(), spaces_);
    if (options_.self_memory && (copy_ || chooser_))
        own_pointers_ = std::make_unique<OwnPointers>(size_t(config.pointer_width));
    if (reads(kReadCca) && options.reading != 0 && !config.has_cca())
        throw Error(Status::kUnsupported, "rpt",
                    "session: this model has no cross-attention; read in another way");
    marks_.push_back({1, 0, encoder_});
}

std::vector<float> Session::Impl::keep_pointers(const engine::Stream& stream, AsideReading* aside) {
    std::vector<float> keys, queries;
    if (!copy_ && !chooser_) return queries;
    stream.pointers(keys, queries);
    if (chooser_) (aside != nullptr ? aside->asked : asked_).append(queries);
    if (own_pointers_ && aside == nullptr) {
        own_pointers_->append(keys);
        RPT_CHECK(own_pointers_->size() == stream.position());
    }
    return queries;
}

Session::Impl::AsideReading Session::Impl::reading_of_aside(const AsideContext& context,
                                                            const CallControl& control) {
    AsideReading reading{-1, 0, QueryTrail(size_t(engine_->config().pointer_width))};
    if (own_ || own_pointers_) stream_at_target(control);
    if (own_) reading.own_last = last_chunk_before(*own_, context.begin);
    if (own_pointers_) {
        size_t n = std::min(own_pointers_->size(), sequence_.size());
        while (n > 0 && sequence_.end_of(n - 1) > context.begin) --n;
        reading.own_places = n;
    }
    return reading;
}

MemoryUse Session::Impl::use_of(const RetrieveOptions& options, bool tell,
                                const AsideReading* aside) const {
    MemoryUse use{reads(kReadCca) || reads(kReadUpper) ? &options : nullptr, tell};
    if (aside != nullptr) use.own_last = aside->own_last;
    if (reads(kReadUpper))
        use.by_mass =
            ByMass{chooser_.get(), aside != nullptr ? &aside->asked : &asked_, own_pointers_.get()};
    return use;
}

void Session::Impl::require_whole_code_points(const char* what) const {
    if (cut_.empty()) return;
    throw Error(Status::kUtf8, "rpt",
                std::string(what) + ": the context ends inside a code point at byte " +
                    std::to_string(sequence_.text.size()) + "; read the rest of it first",
                int64_t(sequence_.text.size()));
}

size_t Session::Impl::target() const {
    const size_t m = size_t(engine_->config().chunk);
    const size_t n_whole = sequence_.size() / m;
    return n_whole == 0 ? 0 : (n_whole - 1) * m;
}

void Session::Impl::take(std::string_view text) {
    text::IncrementalEncoder encoder = encoder_;
    std::vector<text::Token> fresh;
    encoder.append(text, fresh);
    const size_t positions = sequence_.size(), text_bytes = sequence_.text.size();
    try {
        sequence_.text += text;
        for (const text::Token& token : fresh) sequence_.push(token.id, token.size);
        if (encoder.pending_bytes() <= kMarkTail &&
            sequence_.text.size() >= marks_.back().text_bytes + kMarkDistance)
            marks_.push_back({sequence_.size(), sequence_.text.size(), encoder});
    } catch (...) {
        sequence_.truncate(positions, text_bytes);
        throw;
    }
    std::swap(encoder_, encoder);
}

void Session::Impl::feed(const CallControl& control) {
    const model::ModelConfig& config = engine_->config();
    const size_t stride = size_t(config.stride), end = target() / stride * stride;
    if (!stream_) {
        std::unique_ptr<engine::Stream> fresh = engine_->new_stream();
        borders_ = {fresh->checkpoint()};
        stream_ = std::move(fresh);
        if (own_) own_->truncate(0);
        if (own_pointers_) own_pointers_->truncate(0);
        asked_.truncate(0);
    }
    if (borders_.back()->position() >= end) return;
    return_to_border();
    const ChunkFeeder pieces = feeder();
    const MemoryUse use = use_of(options_.retrieve, false);
    std::vector<float> logits(size_t(config.vocab));
    lost_ = true;
    while (borders_.back()->position() < end) {
        pieces.advance_lower(*stream_, sequence_, end, use, control);
        stream_->advance_upper(logits);
        keep_pointers(*stream_);
        if (stream_->position() % stride != 0) continue;
        borders_.push_back(stream_->checkpoint());
        if (borders_.size() > kBorders) borders_.erase(borders_.begin());
        const size_t oldest = size_t(borders_.front()->position());
        asked_.forget_before(oldest - std::min(oldest, kMassQueries));
    }
    lost_ = false;
}

void Session::Impl::return_to_border() {
    const engine::Checkpoint& border = *borders_.back();
    if (lost_ || stream_->position() != border.position()) stream_->rewind(border);
    lost_ = false;
    if (own_) own_->truncate(border.position() / uint64_t(engine_->config().chunk));
    if (own_pointers_) own_pointers_->truncate(size_t(border.position()));
    asked_.truncate(size_t(border.position()));
}

std::unique_ptr<engine::Stream> Session::Impl::stream_at_target(const CallControl& control) {
    feed(control);
    const size_t m = size_t(engine_->config().chunk), end = target();
    if (lost_) return_to_border();
    const ChunkFeeder pieces = feeder();
    const MemoryUse use = use_of(options_.retrieve, false);
    std::vector<float> logits(size_t(engine_->config().vocab));
    lost_ = true;
    while (stream_->position() < end) {
        const size_t border = (size_t(stream_->position()) / m + 1) * m;
        pieces.advance_lower(*stream_, sequence_, border, use, control);
        stream_->advance_upper(logits);
        keep_pointers(*stream_);
    }
    lost_ = false;
    return stream_->fork();
}

void Session::Impl::rewind(uint64_t byte_offset, const CallControl& control) {
    const std::string place = "rewind: byte " + std::to_string(byte_offset);
    if (byte_offset == sequence_.text.size() + cut_.size()) return;
    if (byte_offset > sequence_.text.size() + cut_.size())
        throw Error(Status::kArgument, "rpt",
                    place + " is behind the " +
                        std::to_string(sequence_.text.size() + cut_.size()) +
                        " bytes that were read");
    if (byte_offset > sequence_.text.size() || !begins_code_point(sequence_.text, byte_offset))
        throw Error(Status::kArgument, "rpt", place + " lies inside a code point");
    if (byte_offset == sequence_.text.size()) {
        cut_.clear();
        return;
    }
    size_t n_marks = marks_.size();
    while (marks_[n_marks - 1].text_bytes > byte_offset) --n_marks;  // the first mark is at 0
    const Mark& mark = marks_[n_marks - 1];
    text::IncrementalEncoder encoder = mark.encoder;
    std::vector<text::Token> again;
    encoder.append(
        std::string_view(sequence_.text).substr(mark.text_bytes, byte_offset - mark.text_bytes),
        again);
    size_t common = mark.positions;  // positions that stay as they are
    while (common < sequence_.size() && common - mark.positions < again.size() &&
           sequence_.ids()[common] == again[common - mark.positions].id)
        ++common;
    // Shorter than what is there or, by the encoder's promise, at most as long: no allocation from
    // here.
    RPT_CHECK(mark.positions + again.size() <= sequence_.size());
    sequence_.truncate(common, byte_offset);
    for (size_t i = common - mark.positions; i < again.size(); ++i)
        sequence_.push(again[i].id, again[i].size);
    std::swap(encoder_, encoder);
    cut_.clear();
    marks_.erase(marks_.begin() + ptrdiff_t(n_marks), marks_.end());

    const size_t valid = std::min(common, target());
    while (!borders_.empty() && borders_.back()->position() > valid) borders_.pop_back();
    if (borders_.empty()) {
        stream_.reset();
    } else if (stream_->position() > valid) {
        lost_ = true;
    }
    feed(control);
}

Session::Impl::Aside::Aside(Impl& impl)
    : impl_(impl),
      positions_(impl.sequence_.size()),
      text_bytes_(impl.sequence_.text.size()),
      own_(impl.own_ ? impl.own_->size() : 0),
      own_pointers_(impl.own_pointers_ ? impl.own_pointers_->size() : 0),
      asked_(impl.asked_.end()) {}

Session::Impl::Aside::~Aside() {
    impl_.sequence_.truncate(positions_, text_bytes_);
    if (impl_.own_) impl_.own_->truncate(own_);
    if (impl_.own_pointers_) impl_.own_pointers_->truncate(own_pointers_);
    impl_.asked_.truncate(asked_);
}

}  // namespace rpt::reader
