// What a session consists of; shared by the files that implement it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/reader/aside_context.h"
#include "core/reader/chunk_feeder.h"
#include "core/reader/copy_reader.h"
#include "core/reader/own_past.h"
#include "core/reader/sequence.h"
#include "core/reader/session.h"

namespace rpt::reader {

struct Session::Impl {
    Impl(std::shared_ptr<const engine::Engine> engine, std::shared_ptr<storage::Store> store,
         std::vector<std::shared_ptr<storage::Space>> spaces, const SessionOptions& options);

    // Takes valid text in whole code points: tokens that are final join the sequence. Feeds
    // nothing. All or nothing.
    void take(std::string_view text);
    // Feeds the blocks that lie before target(), each as one piece. A failure loses the block it
    // struck, never text.
    void feed(const CallControl& control);
    // A stream of the question's own that stands at target(): blocks as above, then chunk by chunk.
    // The pieces depend on the text alone.
    std::unique_ptr<engine::Stream> stream_at_target(const CallControl& control);
    void rewind(uint64_t byte_offset, const CallControl& control);
    // The begin of the last whole chunk: what lies behind is fed with the options of the question.
    size_t target() const;
    void require_whole_code_points(const char* what) const;
    ChunkFeeder feeder() { return {*engine_, store_.get(), spaces_, own_.get()}; }
    bool reads(uint32_t way) const { return (reading_ & way) != 0; }
    // What a context aside may find of the own past, and what its own tokens ask.
    struct AsideReading {
        int64_t own_last = -1;  // the last chunk
        size_t own_places = 0;  // input positions
        QueryTrail asked;
    };
    // The own past then reaches up to target().
    AsideReading reading_of_aside(const AsideContext& context, const CallControl& control);
    // What a chunk that closes reads: nothing where the session reads no chunks. Arguments are
    // borrowed; `aside` is null for the session's own stream, here and below.
    MemoryUse use_of(const RetrieveOptions& options, bool tell,
                     const AsideReading* aside = nullptr) const;
    // After each advance_upper(): pointer keys of the tokens join the own past, unless they are of
    // a context aside. Queries of these tokens [n, w]; empty where nothing asks with them.
    std::vector<float> keep_pointers(const engine::Stream& stream, AsideReading* aside = nullptr);
    // Input positions of the own past that the token at `position` may copy from.
    size_t own_places(uint64_t position, const AsideReading* aside) const {
        return aside != nullptr ? aside->own_places : own_places_end(engine_->config(), position);
    }
    RetrieveOptions with_usual_k(RetrieveOptions options) const {
        if (options.k == 0) options.k = options_.retrieve.k;
        return options;
    }

    // Makes what a question adds (tokens of the tail, generated ones, chunks of the own past) go
    // away with it.
    class Aside {
      public:
        explicit Aside(Impl& impl);
        ~Aside();
        Aside(const Aside&) = delete;
        Aside& operator=(const Aside&) = delete;

      private:
        Impl& impl_;
        size_t positions_, text_bytes_;
        uint64_t own_;
        size_t own_pointers_, asked_;
    };

    std::shared_ptr<const engine::Engine> engine_;
    std::shared_ptr<storage::Store> store_;
    std::vector<std::shared_ptr<storage::Space>> spaces_;
    SessionOptions options_;

    Sequence sequence_;                 // final tokens; its text goes on with the tail
    text::IncrementalEncoder encoder_;  // keeps back the tail
    std::string cut_;                   // of a code point, 0 to 3 bytes; behind the text

    uint32_t made_for_;                            // kRead*
    uint32_t reading_;                             // some of them: those that count now
    std::unique_ptr<CopyReader> copy_;             // null: nothing is copied
    std::unique_ptr<OwnPointers> own_pointers_;    // null: not from the own past; as far as own_
    std::shared_ptr<const ChunkChooser> chooser_;  // null: neither `upper` nor `text`
    QueryTrail asked_;                             // of the last tokens, where chooser_ is
    std::unique_ptr<OwnPast>
        own_;  // null without self memory; reaches at least as far as the streams below

  private:
    // From where the text can be encoded again: what the encoder was after `text_bytes`.
    struct Mark {
        size_t positions;
        size_t text_bytes;
        text::IncrementalEncoder encoder;
    };
    std::vector<Mark> marks_;
    void return_to_border();

    // One stream reads the session's text: blocks, each as one piece, then chunk by chunk towards
    // target(). When the next block is whole it goes back to the last border, so that what it
    // computes depends on the text alone.
    std::unique_ptr<engine::Stream> stream_;  // null: not begun
    std::vector<std::shared_ptr<const engine::Checkpoint>>
        borders_;        // at the last borders of blocks, ascending
    bool lost_ = false;  // a call failed on the way: stream_ must go back to a border first
};

}  // namespace rpt::reader
