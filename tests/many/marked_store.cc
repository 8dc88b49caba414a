#include "tests/many/marked_store.h"

#include <cmath>

#include "base/error.h"
#include "tests/fakes/fake_engine.h"

namespace rpt::many {
namespace {

constexpr uint32_t kDigit = 20;  // a mark's digits survive the codec with room to spare

uint64_t hash_of(const std::string& text) {
    uint64_t h = text.size();
    for (const char c : text) h = fakes::mix(h, uint8_t(c));
    return h;
}

// Every token's row: 1, three digits of the owner, the collection, noise of the text.
std::vector<float> marked_states(Mark mark, const std::string& text, size_t tokens, uint32_t dim) {
    std::vector<float> states = fakes::noise(hash_of(text), tokens * dim);
    const uint32_t digits[] = {kDigit, mark.owner % kDigit, mark.owner / kDigit % kDigit,
                               mark.owner / kDigit / kDigit, mark.collection};
    for (size_t t = 0; t < tokens; ++t)
        for (size_t i = 0; i < std::size(digits); ++i)
            states[t * dim + i] = float(digits[i]) / float(kDigit);
    return states;
}

storage::SegmentRecord segment_of(const storage::ModelBinding& model, Mark mark,
                                  const std::string& text) {
    storage::SegmentRecord segment;
    segment.text = text;
    storage::ChunkRecord chunk;
    chunk.bytes = {0, text.size()};
    for (uint32_t t = 0; t < model.chunk_tokens; ++t)
        chunk.tokens.push_back(int32_t(fakes::mix(hash_of(text), t) % 300));
    chunk.key = key_of(text, model.dim);
    chunk.states = marked_states(mark, text, chunk.tokens.size(), model.dim);
    segment.chunks.push_back(std::move(chunk));
    return segment;
}

std::string words(uint64_t seed, size_t n) {
    static constexpr const char* kWords[] = {"chunk", "window", "reader", "store",
                                             "moves", "leaves", "return", "stop"};
    std::string out;
    for (size_t i = 0; i < n; ++i) out += std::string(" ") + kWords[fakes::mix(seed, i) % 8];
    return out;
}

}  // namespace

std::string owner_name(uint32_t owner) {
    return std::string("o").append(std::to_string(owner));
}

std::string collection_name(uint32_t collection) {
    return std::string("c").append(std::to_string(collection));
}

std::vector<std::string> own_texts(Mark mark, uint64_t document, uint64_t revision, size_t n) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < n; ++i) {
        const std::string head = owner_name(mark.owner) + " " + collection_name(mark.collection) +
                                 " d" + std::to_string(document) + " r" + std::to_string(revision) +
                                 " k" + std::to_string(i);
        texts.push_back(head + words(hash_of(head), 6) + "\n");
    }
    return texts;
}

std::vector<std::string> common_texts(uint64_t document, size_t n) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < n; ++i)
        texts.push_back("common " + std::to_string(document) + " k" + std::to_string(i) +
                        words(fakes::mix(document, i), 6) + "\n");
    return texts;
}

bool text_allows(const std::string& text, const std::string& owner) {
    return text.starts_with("common ") || text.starts_with(owner + " ");
}

std::vector<float> key_of(const std::string& text, uint32_t dim) {
    return fakes::noise(hash_of(text) + 1, dim);
}

Mark read_mark(std::span<const float> states) {
    const auto digit = [&](size_t i) {
        return uint32_t(std::lround(states[i] / states[0] * float(kDigit)));
    };
    return {digit(1) + kDigit * (digit(2) + kDigit * digit(3)), digit(4)};
}

bool put_document(storage::Space& space, const storage::ModelBinding& model, Mark mark,
                  const std::string& key, const std::vector<std::string>& texts, bool replace) {
    storage::DocumentSpec spec;
    spec.key = key;
    spec.replace = replace;
    storage::Edit edit;
    edit.finish = true;
    Sha256 whole;
    for (const std::string& text : texts) {
        whole.update(text.data(), text.size());
        const Digest identity = sha256(text.data(), text.size());
        storage::SegmentRecord segment;
        segment.known = space.has_segment(identity);
        if (!segment.known) segment = segment_of(model, mark, text);
        segment.identity = identity;
        edit.segments.push_back(std::move(segment));
    }
    edit.content_hash = whole.finish();
    try {
        const auto writer = space.begin_document(spec);
        while (const auto lost = writer->commit(edit)) {
            const Digest identity = edit.segments[*lost].identity;
            edit.segments[*lost] = segment_of(model, mark, texts[*lost]);
            edit.segments[*lost].identity = identity;
        }
    } catch (const Error& error) {
        if (error.status() == Status::kExists || error.status() == Status::kBusy) return false;
        throw;
    }
    return true;
}

}  // namespace rpt::many
