// Target pages: every call on a store whose database is damaged refuses it or answers; what a full
// check finds whole can be read in full.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "tests/fuzz/damaged_store.h"

namespace rpt::fuzz {
namespace {

using namespace storage;

constexpr size_t kMostText = 1 << 16;
constexpr uint64_t kMostParts = 32;  // chunks or segments of one document

std::vector<std::shared_ptr<Space>> open_spaces(Store& store) {
    std::vector<std::pair<std::string, std::string>> names;
    accepts([&] {
        store.list_spaces([&](const std::string& owner, const std::string& collection) {
            names.emplace_back(owner, collection);
            return names.size() < 4;
        });
    });
    std::vector<std::shared_ptr<Space>> spaces;
    for (const auto& name : names)
        accepts([&] { spaces.push_back(store.open_space(name.first, name.second, false)); });
    return spaces;
}

std::vector<DocumentInfo> list_documents(Space& space, bool& whole) {
    std::vector<DocumentInfo> documents;
    whole &= accepts([&] {
        space.list_documents("", [&](const DocumentInfo& info) {
            documents.push_back(info);
            return documents.size() < 16;
        });
    });
    return documents;
}

// True if all of the document could be read.
bool read_document(Store& store, Space& space, const DocumentInfo& info) {
    bool whole = accepts([&] { space.find_document(info.key); });
    std::string text;
    whole &= accepts([&] { text = space.read_text(info.key, 0, kMostText); });
    expect(text.size() <= kMostText, "more text than was asked for");
    if (whole && info.finished && info.bytes < kMostText && !info.text_discarded)
        whole &= text.size() == info.bytes && sha256(text.data(), text.size()) == info.content_hash;
    accepts([&] { space.read_text(info.key, info.bytes / 2, 10); });
    std::vector<SegmentInfo> segments;
    whole &= accepts([&] { segments = space.list_segments(info.key); });
    for (size_t i = 0; i < segments.size() && i < kMostParts; ++i)
        whole &= accepts([&] { store.read_segment(segments[i].id); });
    for (uint64_t i = 0; i < std::min(info.chunks, kMostParts); ++i)
        whole &= accepts([&] {
            const auto chunk = space.read_chunk(info.key, i);
            if (!chunk) return;
            expect(chunk->key.size() == kShape.dim, "a key of another width");
            expect(
                chunk->states.size() == chunk->tokens.size() * kShape.dim || chunk->states.empty(),
                "states that do not fit the tokens");
        });
    return whole;
}

bool search(Store& store, const std::vector<std::shared_ptr<Space>>& spaces) {
    if (spaces.empty()) return true;
    bool whole = true;
    for (const std::shared_ptr<Space>& space : spaces)
        whole &= accepts([&] {
            const auto snapshot = store.pointers(space);
            for (const PointerSnapshot::Part& part : snapshot->parts)
                expect(part.rows().nibbles.size() ==
                           part.rows().tokens.size() * pointer_row_bytes(kShape.pointer_dim),
                       "pointer keys that do not fit the tokens");
        });
    SearchFilter filter;
    for (const bool exact : {true, false}) {
        filter.exact = exact;
        filter.exclude_key = exact ? "" : "doc1";
        std::vector<Hit> hits;
        const std::vector<float> query = synthetic::Numbers(9).vector(kShape.dim);
        whole &= accepts([&] { hits = store.search(spaces, query, 5, filter); });
        expect(hits.size() <= 5, "more hits than were asked for");
        whole &= accepts([&] { store.load_states(hits); });
        for (const Hit& hit : hits) {
            whole &= accepts([&] { store.describe(hit.chunk_id); });
            whole &= accepts([&] { store.read_hit_text(hit.chunk_id, false); });
            accepts([&] { store.read_hit_text(hit.chunk_id, true); });  // there may be none
        }
    }
    return whole;
}

// As for hits of an index that was made before the damage. Ids without a chunk are no fault.
void ask_for_chunks(Store& store) {
    std::vector<Hit> all;
    for (uint64_t id = 1; id <= 16; ++id) {
        all.push_back({id, 0});
        accepts([&] { store.describe(id); });
        accepts([&] { store.read_hit_text(id, false); });
        accepts([&] { store.read_hit_text(id, true); });
        accepts([&] { store.load_states({&all.back(), 1}); });
        accepts([&] { store.read_segment_tokens(id, 8); });
    }
    accepts([&] { store.load_states(all); });
}

// How many findings of damage; at least 1 if the check could not look.
size_t check(Store& store, CheckLevel level) {
    size_t damaged = 0;
    const bool looked = accepts([&] {
        store.check(level, [&](const Finding& finding) {
            expect(!finding.text.empty(), "a finding says nothing");
            expect(finding.text.find('\n') == std::string::npos, "a finding of two lines");
            damaged += finding.severity == Finding::Severity::kDamage;
        });
    });
    return looked ? damaged : damaged + 1;
}

void change(Store& store, const std::vector<std::shared_ptr<Space>>& spaces, InputBytes& in) {
    for (const auto& space : spaces)
        for (int i = 0; i < 3; ++i) {
            const uint64_t action = in.below(8);
            const std::string key = "doc" + std::to_string(in.below(4));
            accepts([&] {
                std::unique_ptr<DocumentWriter> writer;
                DocumentSpec spec;
                spec.key = key;
                spec.replace = action % 2 == 0;
                if (action < 2) return space->delete_document(key);
                if (action < 4) writer = space->resume_document(key);
                if (action >= 4) writer = space->begin_document(spec);
                Edit edit;
                edit.first = action < 4 ? writer->segments().size() : 0;
                edit.segments = {synthetic::segment_of({6 + action, 2}, kShape)};
                writer->commit(edit);
                writer->read_text({0, 100});
            });
        }
    accepts([&] { store.rebuild_index(); });
    accepts([&] { store.compact(); });
    accepts([&] { store.sync(); });
    if (!spaces.empty() && in.below(2) == 0)
        accepts([&] { store.drop_space(spaces[0]->owner(), spaces[0]->collection()); });
}

}  // namespace

// Input: how to open, the damage, what to write.
void run_pages(InputBytes in) {
    static const ScratchFolder folder;
    static const std::string& kWhole = *new std::string(make_database(folder));
    const uint8_t how = in.byte();
    const std::string path = damage_store(folder, kWhole, in);
    StoreOptions options;
    options.durability = Durability::kNone;
    options.read_only = how & 1;
    if (how & 2) options.model = synthetic::model_of(kShape);
    if (how & 4) accepts([&] { Store::upgrade(path); });
    std::shared_ptr<Store> store;
    if (!accepts([&] { store = Store::open(path, options); })) return;

    const size_t damaged = check(*store, CheckLevel::kQuick) + check(*store, CheckLevel::kFull);
    const std::vector<std::shared_ptr<Space>> spaces = open_spaces(*store);
    bool whole = search(*store, spaces);
    ask_for_chunks(*store);
    for (const auto& space : spaces)
        for (const DocumentInfo& info : list_documents(*space, whole))
            whole &= read_document(*store, *space, info);
    expect(whole || damaged > 0, "the check finds nothing wrong with what cannot be read");
    accepts([&] { store->stats(); });
    if (!options.read_only) change(*store, spaces, in);
    if (how & 8) accepts([&] { store->backup(folder.path("copy")); });
    std::filesystem::remove_all(folder.path("copy"));
    accepts([&] { store->close(); });
    store.reset();
    if (how & 16) accepts([&] { Store::destroy(path); });
}

}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_pages(rpt::fuzz::InputBytes(data, size));
    return 0;
}
