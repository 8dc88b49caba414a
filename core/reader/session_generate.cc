// Continuing: sampled tokens to delivered text.
#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "base/error.h"
#include "core/reader/chat_context.h"
#include "core/reader/gap_context.h"
#include "core/reader/pasted_context.h"
#include "core/reader/sampler.h"
#include "core/reader/session_impl.h"
#include "core/reader/stop_matcher.h"
#include "core/reader/text_query.h"
#include "core/text/utf8_gate.h"

namespace rpt::reader {

namespace {

// The monotonic clock measures here and decides nothing.
class Stopwatch {
  public:
    int64_t us() const {
        return std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::steady_clock::now() - begin_)
            .count();
    }

  private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Events to the host; remembers what it was given.
class Delivery {
  public:
    explicit Delivery(const GenerateSink& sink) : sink_(sink) {}

    const std::string& text() const { return text_; }
    bool host_stopped() const { return host_stopped_; }

    void deliver_text(const std::string& text, uint64_t at_token) {
        if (text.empty() || host_stopped_) return;
        text_ += text;
        GenerateEvent event;
        event.text = text;
        event.at_token = at_token;
        send(event);
    }

    // Says what is in force, unless it is nothing again.
    void deliver_hits(const std::vector<RetrievedChunk>& hits, uint64_t at_token) {
        if ((hits.empty() && !told_) || host_stopped_) return;
        told_ = !hits.empty();
        GenerateEvent event;
        event.type = GenerateEvent::Type::kHits;
        event.hits = &hits;
        event.at_token = at_token;
        send(event);
    }

    void deliver_copies(const std::vector<RetrievedChunk>& from, uint64_t at_token) {
        if (from.empty() || host_stopped_) return;
        GenerateEvent event;
        event.type = GenerateEvent::Type::kHits;
        event.hits = &from;
        event.at_token = at_token;
        send(event);
    }

  private:
    void send(const GenerateEvent& event) {
        if (!sink_) return;
        const int32_t answer = sink_(event);
        if (answer < 0)
            throw Error(Status::kCallback, "rpt",
                        "generate: the host's callback returned " + std::to_string(answer));
        host_stopped_ = answer > 0;
    }

    const GenerateSink& sink_;
    std::string text_;
    bool told_ = false, host_stopped_ = false;
};

// One run on a copy of the session's stream, or on a stream of its own that reads a context aside.
class Run {
  public:
    // `aside` may be null. `pasted`: chunks that it holds, in force as long as no others are.
    // `end_of_turn`: a token that ends the text beside the usual one; -1: none.
    Run(Session::Impl& impl, AsideContext* aside, std::vector<RetrievedChunk> pasted,
        int32_t end_of_turn, const GenerateOptions& options, const CallControl& control,
        Delivery& delivery, const Stopwatch& watch)
        : impl_(impl),
          aside_(aside),
          pasted_(!pasted.empty()),
          sequence_(aside != nullptr ? aside->sequence : impl.sequence_),
          options_(options),
          control_(control),
          delivery_(delivery),
          watch_(watch),
          end_of_turn_(end_of_turn),
          sampler_(options, *impl.engine_->tokenizer(), end_of_turn),
          stops_(options.stop),
          pieces_(impl.feeder()),
          retrieve_(impl.with_usual_k(options.retrieve)),
          use_(options.no_memory ? MemoryUse{} : impl.use_of(retrieve_, true)),
          copies_(impl.reads(kReadCopy) && !options.no_memory),
          hits_(std::move(pasted)),
          logits_(size_t(impl.engine_->config().vocab)) {}

    void run(GenerateResult& result) {
        stream_ = start();
        const Session::Impl::Aside aside(impl_);
        if (aside_ == nullptr)
            for (const text::Token& token : impl_.encoder_.peek())
                sequence_.push(token.id, token.size);
        ask(result);
        feed(result);
        delivery_.deliver_hits(hits_, 0);
        while (!delivery_.host_stopped()) {
            if (result.tokens == options_.max_tokens) return end(Finish::kLength, result);
            control_.check();
            const int32_t token = sampler_.sample(logits_, recent());
            if (result.first_token_us == 0) result.first_token_us = watch_.us();
            if (token == impl_.engine_->tokenizer()->eos() || token == end_of_turn_)
                return end(Finish::kEos, result);
            ++result.tokens;
            if (copies_) impl_.copy_->trace(token, copied_);
            if (take(token, result)) return tell_copies(result);
            if (result.tokens == options_.max_tokens || delivery_.host_stopped()) continue;
            if (feed(result)) {
                tell_copies(result);
                delivery_.deliver_hits(hits_, result.tokens);
            }
        }
        result.finish = Finish::kHost;
    }

  private:
    // Where the run begins to feed.
    std::unique_ptr<engine::Stream> start() {
        if (aside_ == nullptr) return impl_.stream_at_target(control_);
        if (!options_.no_memory) {
            aside_reading_ = impl_.reading_of_aside(*aside_, control_);
            use_ = impl_.use_of(retrieve_, true, &*aside_reading_);
        } else {
            use_.own_last = -1;  // its chunks do not join the own past
        }
        return impl_.engine_->new_stream();
    }

    // Ordinary tokens before this point.
    std::span<const int32_t> recent() const {
        return aside_ != nullptr ? std::span<const int32_t>(aside_->recent)
                                 : sequence_.ids().subspan(1);
    }

    // Bytes of a sampled token on their way to the host; true if a stop string ended the run.
    bool take(int32_t token, GenerateResult& result) {
        const std::string_view bytes = impl_.engine_->tokenizer()->bytes(token);
        sequence_.push(token, bytes.size());
        sequence_.text += bytes;
        if (aside_ != nullptr) aside_->recent.push_back(token);
        std::string text;
        for (const auto& piece : code_points_.append(bytes)) text += piece.text;
        delivery_.deliver_text(stops_.push(text), result.tokens);
        if (delivery_.host_stopped() || !stops_.matched()) return false;
        result.finish = Finish::kStop;
        result.stop_index = *stops_.matched();
        return true;
    }

    void end(Finish finish, GenerateResult& result) {
        delivery_.deliver_text(stops_.take_held(), result.tokens);
        tell_copies(result);
        result.finish = delivery_.host_stopped() ? Finish::kHost : finish;
    }

    // What the tokens since the last such event were copied from.
    void tell_copies(const GenerateResult& result) {
        if (!copies_) return;
        const std::vector<RetrievedChunk> from = copied_.take(
            pieces_.search(), impl_.sequence_, size_t(impl_.engine_->config().chunk), retrieve_);
        delivery_.deliver_copies(from, told_until_);
        told_until_ = result.tokens;
    }

    // Mixes what is copied into the prediction after the last token.
    void copy(std::span<const float> queries) {
        const size_t width = size_t(impl_.engine_->config().pointer_width);
        const uint64_t last = stream_->position() - 1;
        impl_.copy_->look(impl_.own_pointers_.get(), impl_.sequence_.ids(),
                          impl_.own_places(last, aside_reading_ ? &*aside_reading_ : nullptr),
                          retrieve_.filter, control_);
        impl_.copy_->mix(queries.last(width), logits_, control_);
    }

    // What was said last is often what is asked, and counts for little in the mean of a chunk: it
    // asks beside the last whole chunk, for what is generated up to the next border.
    void ask(GenerateResult& result) {
        const model::ModelConfig& config = impl_.engine_->config();
        const size_t n = sequence_.size(), m = size_t(config.chunk);
        // What chooses by mass asks with the last tokens anyway.
        if (use_.retrieve == nullptr || use_.by_mass || !config.has_retriever() || n == 1) return;
        const int64_t own_last = use_.own_last.value_or(
            model::last_retrievable(config, static_cast<int64_t>(n / m) - 1));
        if (impl_.spaces_.empty() && own_last < 0) return;  // nothing to find
        if (n < m) return open(result);
        use_.question = {n / m * m, recent_query(*impl_.engine_, sequence_.ids(),
                                                 question_tokens(config, sequence_), control_)};
    }

    // A text too short to have a chunk: nothing closes before it is continued, all of it asks.
    void open(GenerateResult& result) {
        const model::ModelConfig& config = impl_.engine_->config();
        const size_t asked = question_tokens(config, sequence_);
        const std::vector<float> question =
            recent_query(*impl_.engine_, sequence_.ids(), asked, control_);
        const std::vector<float> whole =
            asked == sequence_.size()
                ? question
                : recent_query(*impl_.engine_, sequence_.ids(), size_t(config.chunk), control_);
        const MemorySearch& search = pieces_.search();
        std::vector<Found> found =
            search.find_to_read({{question, whole}}, -1, nullptr, *use_.retrieve, control_);
        hits_ = search.describe(found, nullptr, {}, *use_.retrieve);
        const NeighbourSet set = search.load(found, nullptr, &hits_);
        const std::vector<engine::NeighbourUse> uses =
            stream_->set_opening_neighbours(set.neighbours());
        for (size_t i = 0; i < std::min(uses.size(), hits_.size()); ++i) {
            hits_[i].gate = uses[i].gate;
            hits_[i].reading = kReadCca;
        }
        ++result.retrievals;
    }

    // All that the sequence holds; true if a chunk closed, whose hits are then in force.
    bool feed(GenerateResult& result) {
        bool closed = false;
        std::vector<float> queries;
        while (stream_->position() < sequence_.size()) {
            Piece piece =
                pieces_.advance_lower(*stream_, sequence_, sequence_.size(), use_, control_);
            stream_->advance_upper(logits_);
            if (copies_ || use_.by_mass)
                queries =
                    impl_.keep_pointers(*stream_, aside_reading_ ? &*aside_reading_ : nullptr);
            for (ClosedChunk& chunk : piece.closed) {
                result.retrievals += chunk.searched;
                if (pasted_ && !chunk.searched) continue;
                hits_ = std::move(chunk.hits);
                closed = true;
            }
        }
        if (copies_ && !queries.empty()) copy(queries);
        return closed;
    }

    Session::Impl& impl_;
    AsideContext* aside_;
    bool pasted_;
    Sequence& sequence_;
    const GenerateOptions& options_;
    const CallControl& control_;
    Delivery& delivery_;
    const Stopwatch& watch_;
    int32_t end_of_turn_;
    Sampler sampler_;
    StopMatcher stops_;
    text::Utf8Gate code_points_{text::Utf8Gate::Mode::kReplace};
    ChunkFeeder pieces_;
    RetrieveOptions retrieve_;
    MemoryUse use_;
    bool copies_;
    CopyTally copied_;
    uint64_t told_until_ = 0;                                   // tokens whose copies were told
    std::optional<Session::Impl::AsideReading> aside_reading_;  // with aside_ and a memory
    std::unique_ptr<engine::Stream> stream_;
    std::vector<RetrievedChunk> hits_;
    std::vector<float> logits_;
};

}  // namespace

void Session::generate(const GenerateOptions& options, const GenerateSink& sink,
                       GenerateResult& result, const CallControl& control) {
    result = {};
    impl_->require_whole_code_points("generate");
    Delivery delivery(sink);
    std::optional<AsideContext> aside;
    int32_t end_of_turn = -1;
    if (!options.suffix.empty()) {
        if (options.chat)
            throw Error(Status::kArgument, "rpt",
                        "generate: a conversation has no suffix; give one of both");
        aside = gap_context(*impl_, options.suffix, options.max_tokens);
    } else if (options.chat) {
        ChatContext context = chat_context(*impl_, *options.chat, options.max_tokens);
        aside = std::move(context.aside);
        end_of_turn = context.end_of_turn;
        result.chat_turns = uint32_t(context.n_turns);
        result.chat_notes = uint32_t(context.n_notes);
    }
    const Stopwatch watch;
    control.check();
    std::exception_ptr failure;
    try {
        std::vector<RetrievedChunk> pasted;
        if (!aside && impl_->reads(kReadText) && !options.no_memory) {
            PastedContext context = paste_context(*impl_, impl_->with_usual_k(options.retrieve),
                                                  true, options.max_tokens, control);
            aside = std::move(context.aside);
            pasted = std::move(context.chunks);
            ++result.retrievals;
        }
        Run(*impl_, aside ? &*aside : nullptr, std::move(pasted), end_of_turn, options, control,
            delivery, watch)
            .run(result);
    } catch (...) {
        failure = std::current_exception();
        result.finish = Finish::kNone;
    }
    result.bytes = delivery.text().size();
    result.total_us = watch.us();
    if (!options.chat) impl_->take(delivery.text());
    if (failure) std::rethrow_exception(failure);
}

GenerateResult Session::generate(const GenerateOptions& options, const GenerateSink& sink,
                                 const CallControl& control) {
    GenerateResult result;
    generate(options, sink, result, control);
    return result;
}

}  // namespace rpt::reader
