#include "core/reader/document_writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "core/reader/source_map.h"

namespace rpt::reader {

namespace {

constexpr uint64_t kEarlyCommitBytes = 32u << 20;  // of states and text that wait

}  // namespace

struct DocumentWriter::Impl {
    std::shared_ptr<const engine::Engine> engine;
    std::shared_ptr<storage::Space> space;  // outlives its writer
    std::unique_ptr<storage::DocumentWriter> store;
    std::unique_ptr<engine::DocumentEncoder> blocks;
    size_t stride = 0, chunk = 0;

    // Bytes to tokens. `cut` is what the gate keeps back.
    text::Utf8Gate gate;
    text::IncrementalEncoder encoder;
    SourceMap map;
    std::string cut;
    uint64_t text_done = 0;  // end of the last final token, in bytes of gated text

    // Final tokens of blocks that are not done, the first of them at ids[head]; ends[i] is the
    // source border after token i, block_begin the one before ids[head].
    std::vector<int32_t> ids;
    std::vector<uint64_t> ends;
    size_t head = 0;
    uint64_t block_begin = 0;
    uint64_t block_number = 0;

    // What the next commit takes: text and final chunks. Numbers below `next_chunk` are encoded for
    // good, those below `committed` are in the store.
    storage::Flush waiting;
    std::string waiting_text;
    uint64_t waiting_bytes = 0;
    uint64_t next_chunk = 0, committed = 0;
    bool provisional_in_store = false;

    enum class Phase { kOpen, kFinishing, kFinished, kBroken } phase = Phase::kOpen;

    Impl(std::shared_ptr<const engine::Engine> e, std::shared_ptr<storage::Space> s,
         const storage::DocumentSpec& spec, text::Utf8Gate::Mode mode)
        : engine(std::move(e)), space(std::move(s)), gate(mode), encoder(engine->tokenizer()) {
        const model::ModelConfig& config = engine->config();
        if (!config.has_retriever())
            throw Error(
                Status::kUnsupported, "rpt",
                "document \"" + spec.key +
                    "\": this model has no retriever and so no keys to store; open one that has");
        if (engine->tokenizer()->bos() < 0)
            throw Error(Status::kUnsupported, "rpt", "model: its tokenizer lacks <|bos|>");
        stride = size_t(config.stride);
        chunk = size_t(config.chunk);
        blocks = engine->new_document();
        ids.push_back(engine->tokenizer()->bos());
        ends.push_back(0);
        store = space->begin_document(spec);
    }

    // Input position of ids[head].
    uint64_t blocks_begin() const { return block_number * stride; }

    void require_open(const char* what) const {
        if (phase == Phase::kBroken)
            throw Error(Status::kState, "rpt",
                        std::string("document: cannot ") + what +
                            " after an error of encoding; write it anew");
        if (phase == Phase::kFinished)
            throw Error(Status::kState, "rpt",
                        std::string("document: cannot ") + what + " after finish");
    }

    // Changes everything or nothing.
    void take(std::string_view bytes) {
        text::Utf8Gate next_gate = gate;
        const std::vector<text::Utf8Gate::Piece> pieces = next_gate.append(bytes);
        take_pieces(pieces, next_gate, bytes);
    }

    void take_pieces(const std::vector<text::Utf8Gate::Piece>& pieces, text::Utf8Gate& next_gate,
                     std::string_view bytes) {
        text::IncrementalEncoder next_encoder = encoder;
        SourceMap next_map = map;
        std::vector<text::Token> fresh;
        for (const auto& piece : pieces) {
            next_map.add(piece.text.size(), piece.source_bytes);
            next_encoder.append(piece.text, fresh);
        }
        const std::string joined = cut + std::string(bytes);
        const size_t whole = joined.size() - next_gate.pending();
        std::string next_cut = joined.substr(whole);
        waiting_text.reserve(waiting_text.size() + whole);
        push_tokens(fresh, next_map);
        waiting_text.append(joined, 0, whole);  // nothing throws from here
        std::swap(gate, next_gate);
        std::swap(encoder, next_encoder);
        std::swap(map, next_map);
        std::swap(cut, next_cut);
        map.forget_before(text_done);
    }

    // Final tokens into the queue.
    void push_tokens(const std::vector<text::Token>& fresh, const SourceMap& source) {
        std::vector<uint64_t> borders;
        borders.reserve(fresh.size());
        uint64_t done = text_done;
        SourceMap cursor = source;
        for (const text::Token& token : fresh) {
            done += token.size;
            borders.push_back(cursor.source_of(done));
            cursor.forget_before(done);
        }
        ids.reserve(ids.size() + fresh.size());
        ends.reserve(ends.size() + fresh.size());
        for (size_t i = 0; i < fresh.size(); ++i) {
            ids.push_back(fresh[i].id);
            ends.push_back(borders[i]);
        }
        text_done = done;
    }

    storage::ChunkRecord record(engine::EncodedChunk&& chunk_out, std::span<const int32_t> tokens,
                                std::span<const uint64_t> borders, bool provisional) const {
        const size_t first = size_t(chunk_out.index) * chunk - size_t(blocks_begin());
        storage::ChunkRecord out;
        out.ordinal = chunk_out.index;
        out.bytes.begin = first == 0 ? block_begin : borders[first - 1];
        out.bytes.end = borders[first + chunk_out.n_tokens - 1];
        out.provisional = provisional;
        out.tokens.assign(tokens.begin() + ptrdiff_t(first),
                          tokens.begin() + ptrdiff_t(first + chunk_out.n_tokens));
        out.key = std::move(chunk_out.key);
        out.states = std::move(chunk_out.states);
        return out;
    }

    void keep(engine::EncodedChunk&& chunk_out, std::span<const int32_t> tokens,
              std::span<const uint64_t> borders) {
        waiting_bytes += chunk_out.states.size() * sizeof(float);
        waiting.chunks.push_back(record(std::move(chunk_out), tokens, borders, false));
        ++next_chunk;
    }

    void encode_full_blocks(const CallControl& control) {
        while (ids.size() - head >= stride) {
            control.report(block_begin, gate.offset());
            const std::span<const int32_t> tokens(ids.data() + head, stride);
            const std::span<const uint64_t> borders(ends.data() + head, stride);
            try {
                for (engine::EncodedChunk& out : blocks->encode_block(tokens))
                    if (out.index >= next_chunk) keep(std::move(out), tokens, borders);
            } catch (...) {
                // The encoder may have moved on without its chunks having been kept.
                if (blocks->position() != blocks_begin()) phase = Phase::kBroken;
                throw;
            }
            block_begin = borders.back();
            head += stride;
            ++block_number;
            if (waiting_bytes + waiting_text.size() >= kEarlyCommitBytes) commit(control);
        }
        ids.erase(ids.begin(), ids.begin() + ptrdiff_t(head));
        ends.erase(ends.begin(), ends.begin() + ptrdiff_t(head));
        head = 0;
    }

    // The block that is not full. Whole chunks of final tokens are kept; with `tail` the rest comes
    // back as provisional records, or is kept too if the document ends here.
    std::vector<storage::ChunkRecord> encode_short_block(bool tail) {
        std::vector<int32_t> tokens = ids;
        std::vector<uint64_t> borders = ends;
        const uint64_t first_chunk = block_number * (stride / chunk);
        const uint64_t final_end =
            first_chunk + tokens.size() / chunk;  // whole chunks of final tokens
        if (tail) {
            uint64_t done = text_done;
            for (const text::Token& token : encoder.peek()) {
                if (tokens.size() + 1 >= stride) break;  // only final tokens may fill a block
                done += token.size;
                tokens.push_back(token.id);
                borders.push_back(map.source_of(done));
            }
        } else {
            tokens.resize(tokens.size() / chunk * chunk);
        }
        const bool only_bos = block_number == 0 && tokens.size() <= 1;
        const bool news = tail ? first_chunk * chunk + tokens.size() > next_chunk * chunk
                               : final_end > next_chunk;
        std::vector<storage::ChunkRecord> provisional;
        if (only_bos || !news) return provisional;
        for (engine::EncodedChunk& out : blocks->encode_block(tokens)) {
            if (out.index < next_chunk) continue;
            if (out.index < final_end || phase == Phase::kFinishing)
                keep(std::move(out), tokens, borders);
            else
                provisional.push_back(record(std::move(out), tokens, borders, true));
        }
        return provisional;
    }

    void commit(const CallControl& control, bool finish = false,
                std::vector<storage::ChunkRecord> provisional = {}) {
        if (!finish && waiting_text.empty() && waiting.chunks.empty() && provisional.empty() &&
            !provisional_in_store)
            return;
        const size_t n_final = waiting.chunks.size();
        waiting.chunks.reserve(n_final + provisional.size());
        for (storage::ChunkRecord& record_out : provisional)
            waiting.chunks.push_back(std::move(record_out));
        waiting.text = waiting_text;
        waiting.drop_from_ordinal = provisional_in_store ? committed : UINT64_MAX;
        waiting.finish = finish;
        try {
            store->commit(waiting, control);
        } catch (...) {
            waiting.chunks.resize(n_final);
            throw;
        }
        provisional_in_store = waiting.chunks.size() > n_final;
        committed = next_chunk;
        waiting.chunks.clear();
        waiting_text.clear();
        waiting_bytes = 0;
        if (finish) phase = Phase::kFinished;
    }
};

DocumentWriter::DocumentWriter(std::shared_ptr<const engine::Engine> engine,
                               std::shared_ptr<storage::Space> space,
                               const storage::DocumentSpec& spec, text::Utf8Gate::Mode mode)
    : impl_(std::make_unique<Impl>(std::move(engine), std::move(space), spec, mode)) {}

DocumentWriter::~DocumentWriter() = default;

void DocumentWriter::append(std::string_view bytes, const CallControl& control) {
    impl_->require_open("append");
    if (impl_->phase == Impl::Phase::kFinishing)
        throw Error(Status::kState, "rpt",
                    "document: cannot append while finish waits to be tried again");
    control.check();
    impl_->take(bytes);
    impl_->encode_full_blocks(control);
}

storage::DocumentInfo DocumentWriter::flush(bool tail, const CallControl& control) {
    impl_->require_open("flush");
    if (impl_->phase == Impl::Phase::kFinishing)
        throw Error(Status::kState, "rpt",
                    "document: cannot flush while finish waits to be tried again");
    control.check();
    impl_->encode_full_blocks(control);
    impl_->commit(control, false, impl_->encode_short_block(tail));
    return impl_->store->info();
}

storage::DocumentInfo DocumentWriter::finish(const CallControl& control) {
    impl_->require_open("finish");
    control.check();
    if (impl_->phase == Impl::Phase::kOpen) {
        text::Utf8Gate gate = impl_->gate;
        const std::vector<text::Utf8Gate::Piece> pieces = gate.finish();
        impl_->take_pieces(pieces, gate, {});
        std::vector<text::Token> rest;
        impl_->encoder.finish(rest);
        impl_->push_tokens(rest, impl_->map);
        impl_->phase = Impl::Phase::kFinishing;
    }
    impl_->encode_full_blocks(control);
    impl_->encode_short_block(true);
    impl_->commit(control, true);
    return impl_->store->info();
}

uint64_t DocumentWriter::bytes_accepted() const {
    return impl_->gate.offset();
}

}  // namespace rpt::reader
