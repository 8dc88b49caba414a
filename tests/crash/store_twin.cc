#include "tests/crash/store_twin.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "base/error.h"
#include "base/half.h"
#include "storage/codec/pointer_codec.h"

namespace rpt::crash {
namespace {

using storage::Edit;
using storage::Space;
using storage::Store;
using synthetic::Numbers;
using synthetic::SegmentName;

constexpr uint64_t kSharedSeeds = 40;
constexpr size_t kMostHits = 100000;

// Space 0 is the large one: enough chunks for an index file and graphs.
std::string draw_key(Numbers& numbers, size_t space) {
    return "document " + std::to_string(numbers.below(space == 0 ? 16 : 5));
}

SegmentName draw_segment(Numbers& numbers, Twin& twin) {
    if (numbers.one_in(3)) {
        const uint64_t seed = 1 + numbers.below(kSharedSeeds);
        return {seed, static_cast<uint32_t>(1 + seed % 3), false};
    }
    return {twin.next_seed++, static_cast<uint32_t>(1 + numbers.below(4)), false};
}

std::vector<SegmentName> draw_segments(Numbers& numbers, Twin& twin, size_t n) {
    std::vector<SegmentName> names;
    for (size_t i = 0; i < n; ++i) names.push_back(draw_segment(numbers, twin));
    return names;
}

// The next commit of a document that so far has `segments`.
void draw_growth(Numbers& numbers, Twin& twin, const std::vector<SegmentName>& segments,
                 Step& step) {
    step.shape.first = segments.size();
    if (!segments.empty() && segments.back().open) {
        SegmentName longer = segments.back();
        longer.chunks += static_cast<uint32_t>(numbers.below(3));
        longer.open = numbers.one_in(4);
        step.shape.first -= 1;
        step.shape.n_old = 1;
        step.fresh.push_back(longer);
        if (longer.open) return;
    }
    const size_t most = step.space == 0 ? 20 : 6;
    for (const SegmentName& name : draw_segments(numbers, twin, 1 + numbers.below(most)))
        step.fresh.push_back(name);
    if (numbers.one_in(2))
        step.fresh.push_back({twin.next_seed++, static_cast<uint32_t>(1 + numbers.below(3)), true});
}

Step draw_write(Numbers& numbers, Twin& twin) {
    Step step;
    if (twin.writing) {
        const WritingTwin& writing = *twin.writing;
        step.kind = writing.replacement ? Kind::kReplace : Kind::kIngest;
        step.space = writing.space;
        step.key = writing.key;
        draw_growth(numbers, twin, writing.document.segments, step);
        step.shape.finish = writing.document.segments.size() > 30 || numbers.one_in(3);
        return step;
    }
    step.begin = true;
    step.space = numbers.one_in(2) ? 0 : numbers.below(kSpaces);
    step.key = draw_key(numbers, step.space);
    const bool there = twin.spaces[step.space].documents.contains(step.key);
    step.kind = there ? Kind::kReplace : Kind::kIngest;
    draw_growth(numbers, twin, {}, step);
    step.shape.finish = numbers.one_in(4);
    return step;
}

// Of a document that no writer holds; false if none was hit upon.
bool draw_document(Numbers& numbers, const Twin& twin, Step& step) {
    step.space = numbers.one_in(2) ? 0 : numbers.below(kSpaces);
    step.key = draw_key(numbers, step.space);
    if (!twin.spaces[step.space].documents.contains(step.key)) return false;
    return !twin.writing || twin.writing->space != step.space || twin.writing->key != step.key;
}

bool draw_splice(Numbers& numbers, Twin& twin, Step& step) {
    step.kind = Kind::kSplice;
    if (!draw_document(numbers, twin, step)) return false;
    const auto& segments = twin.spaces[step.space].documents.at(step.key).segments;
    if (numbers.one_in(5)) {  // an append, or a finish, of a document that is there
        draw_growth(numbers, twin, segments, step);
    } else {
        step.shape.first = numbers.below(segments.size() + 1);
        step.shape.n_old = std::min<uint64_t>(numbers.below(4), segments.size() - step.shape.first);
        // Only the end of a document may be open.
        step.fresh = draw_segments(numbers, twin, numbers.below(4));
        if (step.shape.first == segments.size() && !segments.empty() && segments.back().open)
            step.fresh.clear();
    }
    step.shape.finish = !numbers.one_in(4);
    return true;
}

template <typename T>
void replace_range(std::vector<T>& all, const Edit& shape, const std::vector<T>& fresh) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(shape.first);
    all.insert(all.erase(begin, begin + static_cast<ptrdiff_t>(shape.n_old)), fresh.begin(),
               fresh.end());
}

void change(DocumentTwin& document, const Step& step) {
    if (document.finished) ++document.revision;
    document.finished = step.shape.finish;
    replace_range(document.segments, step.shape, step.fresh);
}

}  // namespace

const char* name_of(Kind kind) {
    static constexpr const char* kNames[] = {"ingest",     "replace", "splice", "delete",
                                             "drop space", "compact", "backup", "rebuild index",
                                             "set budget", "sync",    "reopen", "upgrade"};
    return kNames[static_cast<size_t>(kind)];
}

std::string owner_of(size_t space) {
    return space < 2 ? "anna" : "owner " + std::to_string(space);
}

std::string collection_of(size_t space) {
    return "collection " + std::to_string(space);
}

Step draw_step(Numbers& numbers, Twin& twin) {
    if (twin.writing && !numbers.one_in(4)) return draw_write(numbers, twin);
    Step step;
    const uint64_t choice = numbers.below(100);
    if (choice < 20 && draw_splice(numbers, twin, step)) return step;
    step = {};
    if (choice >= 20 && choice < 30) {
        step.kind = Kind::kDelete;
        if (draw_document(numbers, twin, step)) return step;
        step = {};
    }
    if (choice >= 30 && choice < 33) {
        step.kind = Kind::kDropSpace;
        step.space = numbers.one_in(6) ? 0 : numbers.below(kSpaces);
        if (twin.spaces[step.space].exists && !(twin.writing && twin.writing->space == step.space))
            return step;
        step = {};
    }
    if (choice >= 33 && choice < 40) step.kind = Kind::kCompact;
    if (choice >= 40 && choice < 46) step.kind = Kind::kBackup;
    if (choice >= 46 && choice < 51) step.kind = Kind::kRebuildIndex;
    if (choice >= 51 && choice < 55) step.kind = Kind::kSetBudget;
    if (choice >= 55 && choice < 58) step.kind = Kind::kSync;
    if (choice >= 58 && choice < 62) step.kind = Kind::kReopen;
    step.drop_budget = !numbers.one_in(3);
    if ((choice >= 33 && choice < 62) || twin.writing) return step;
    return draw_write(numbers, twin);
}

void apply(const Step& step, Twin& twin) {
    SpaceTwin& space = twin.spaces[step.space];
    switch (step.kind) {
        case Kind::kIngest:
        case Kind::kReplace: {
            space.exists = true;
            if (step.begin) {
                WritingTwin writing{step.space, step.key, step.kind == Kind::kReplace, {}};
                if (writing.replacement)
                    writing.document.revision = space.documents.at(step.key).revision + 1;
                twin.writing = writing;
            }
            change(twin.writing->document, step);
            if (!twin.writing->replacement || step.shape.finish)
                space.documents[step.key] = twin.writing->document;
            if (step.shape.finish) twin.end_writing();
            break;
        }
        case Kind::kSplice:
            change(space.documents.at(step.key), step);
            break;
        case Kind::kDelete:
            space.documents.erase(step.key);
            break;
        case Kind::kDropSpace:
            space = {};
            break;
        case Kind::kReopen:
            twin.end_writing();
            break;
        default:
            break;
    }
}

void refuse(const Step& step, Twin& twin) {
    const bool writes = step.kind == Kind::kIngest || step.kind == Kind::kReplace;
    if (!writes) return;
    twin.spaces[step.space].exists = true;
    twin.end_writing();
}

storage::StoreOptions options_of(storage::Durability durability) {
    storage::StoreOptions options;
    options.create = true;
    options.model = synthetic::model_of(kShape);
    options.durability = durability;
    options.flat_limit = 300;
    return options;
}

Session::Session(std::string path, storage::Durability durability)
    : path_(std::move(path)), durability_(durability) {
    open();
}

void Session::open() {
    store_ = Store::open(path_, options_of(durability_));
}

std::shared_ptr<Space> Session::space_of(const Step& step) {
    return store_->open_space(owner_of(step.space), collection_of(step.space), true);
}

void Session::commit(storage::DocumentWriter& writer, const Step& step,
                     const std::vector<SegmentName>& after, Space& space) {
    Edit edit = step.shape;
    for (const SegmentName& name : step.fresh) {
        edit.segments.push_back(synthetic::segment_of(name, kShape));
        if (name.open || !space.has_segment(edit.segments.back().identity)) continue;
        edit.segments.back().known = true;
        edit.segments.back().chunks.clear();
        edit.segments.back().text.clear();
    }
    if (edit.finish) edit.content_hash = synthetic::hash_of(after);
    while (const auto lost = writer.commit(edit))
        edit.segments[*lost] = synthetic::segment_of(step.fresh[*lost], kShape);
}

void Session::write(const Step& step) {
    const auto space = space_of(step);
    if (step.begin) {
        storage::DocumentSpec spec;
        spec.key = step.key;
        spec.replace = step.kind == Kind::kReplace;
        writer_ = space->begin_document(spec);
        written_.clear();
    }
    std::vector<SegmentName> after = written_;
    replace_range(after, step.shape, step.fresh);
    commit(*writer_, step, after, *space);
    written_ = std::move(after);
    if (step.shape.finish) writer_.reset();
}

void Session::splice(const Step& step) {
    const auto space = space_of(step);
    const auto writer = space->resume_document(step.key);
    // Its text is what the store says it is; the names are the twin's business.
    Edit edit = step.shape;
    std::string text = writer->read_text({0, writer->info().bytes});
    const auto segments = writer->segments();
    const auto begin_of = [&](uint64_t at) {
        return at == segments.size() ? text.size() : segments[at].bytes.begin;
    };
    const uint64_t begin = begin_of(edit.first), end = begin_of(edit.first + edit.n_old);
    text.replace(begin, end - begin, synthetic::text_of(step.fresh));
    edit.content_hash = edit.finish ? sha256(text.data(), text.size()) : Digest{};
    for (const SegmentName& name : step.fresh)
        edit.segments.push_back(synthetic::segment_of(name, kShape));
    if (writer->commit(edit)) throw std::runtime_error("a segment given in full is lost");
}

bool Session::run(const Step& step, const std::string& backup_target) {
    try {
        switch (step.kind) {
            case Kind::kIngest:
            case Kind::kReplace:
                write(step);
                break;
            case Kind::kSplice:
                splice(step);
                break;
            case Kind::kDelete:
                space_of(step)->delete_document(step.key);
                break;
            case Kind::kDropSpace:
                store_->drop_space(owner_of(step.space), collection_of(step.space));
                break;
            case Kind::kCompact:
                store_->compact();
                break;
            case Kind::kBackup:
                store_->backup(backup_target);
                break;
            case Kind::kRebuildIndex:
                store_->rebuild_index();
                break;
            case Kind::kSetBudget:
                store_->set_budget(
                    step.drop_budget
                        ? 0
                        : std::max<uint64_t>(2 << 20, store_->stats().disk_bytes * 7 / 10));
                break;
            case Kind::kSync:
                store_->sync();
                break;
            default:
                writer_.reset();
                store_->close();
                store_.reset();
                open();
                // A search brings the index file in, so that later steps have one to keep up.
                view_of(*store_);
                break;
        }
        return true;
    } catch (const Error& error) {
        if (error.status() != Status::kNoSpace) throw;
        if (step.kind == Kind::kIngest || step.kind == Kind::kReplace) writer_.reset();
        return false;
    }
}

namespace {

std::vector<float> view_query() {
    return Numbers(99).vector(kShape.dim);
}

void add_document(std::string& words, const std::string& key, bool finished, uint64_t revision,
                  const std::string& text, const Digest& hash,
                  const std::vector<std::pair<Digest, uint64_t>>& segments, uint64_t tokens) {
    words += "  \"" + key + "\" " + (finished ? "finished" : "open") + ", revision " +
             std::to_string(revision) + ", " + std::to_string(tokens) + " tokens, text " +
             to_hex(sha256(text.data(), text.size())) + ", hash " + to_hex(hash) + ":";
    for (const auto& [identity, chunks] : segments)
        words.append(" ").append(to_hex(identity), 0, 8).append("x").append(std::to_string(chunks));
    words += "\n";
}

std::string bytes_of(const storage::PointerSlice& rows) {
    std::string bytes(reinterpret_cast<const char*>(rows.tokens.data()), rows.tokens.size() * 4);
    bytes.append(reinterpret_cast<const char*>(rows.scales.data()), rows.scales.size() * 4);
    return bytes.append(rows.nibbles.begin(), rows.nibbles.end());
}

void add_pointers(const SegmentName& name, std::vector<std::string>& pointers) {
    for (const storage::ChunkRecord& chunk : synthetic::segment_of(name, kShape).chunks) {
        storage::PointerRows rows;
        storage::unpack_pointers(storage::encode_pointers(chunk.pointers, kShape.pointer_dim),
                                 chunk.tokens.size(), kShape.pointer_dim, rows);
        rows.tokens = chunk.tokens;
        pointers.push_back(bytes_of(rows));
    }
}

// Of all chunks of a space, in any order.
void add_pointer_sum(std::vector<std::string> pointers, std::string& words) {
    std::ranges::sort(pointers);
    Sha256 sum;
    for (const std::string& bytes : pointers) sum.update(bytes.data(), bytes.size());
    words += "  pointer keys " + to_hex(sum.finish()) + "\n";
}

void add_scores(const SegmentName& name, std::vector<float>& scores) {
    const std::vector<float> query = view_query();
    for (const storage::ChunkRecord& chunk : synthetic::segment_of(name, kShape).chunks) {
        double sum = 0;
        for (size_t i = 0; i < kShape.dim; ++i)
            sum += double(query[i]) * double(from_half(to_half(chunk.key[i])));
        scores.push_back(static_cast<float>(sum / std::sqrt(double(kShape.dim))));
    }
}

}  // namespace

View view_of(const Twin& twin) {
    View view;
    for (size_t i = 0; i < kSpaces; ++i) {
        const SpaceTwin& space = twin.spaces[i];
        if (!space.exists) continue;
        view.words += owner_of(i) + "/" + collection_of(i) + "\n";
        std::vector<float>& scores = view.scores.emplace_back();
        std::set<std::pair<uint64_t, uint32_t>> seen;
        std::vector<std::string> pointers;
        for (const auto& [key, document] : space.documents) {
            std::vector<std::pair<Digest, uint64_t>> segments;
            uint64_t tokens = 0;
            for (const SegmentName& name : document.segments) {
                const std::string text = synthetic::text_of(name);
                segments.emplace_back(name.open ? Digest{} : sha256(text.data(), text.size()),
                                      name.chunks);
                tokens += uint64_t(name.chunks) * kShape.chunk_tokens;
                if (!name.open && !seen.emplace(name.seed, name.chunks).second) continue;
                add_scores(name, scores);
                add_pointers(name, pointers);
            }
            const std::string text = synthetic::text_of(document.segments);
            add_document(view.words, key, document.finished, document.revision, text,
                         document.finished ? sha256(text.data(), text.size()) : Digest{}, segments,
                         tokens);
        }
        std::ranges::sort(scores, std::greater<>());
        add_pointer_sum(std::move(pointers), view.words);
    }
    return view;
}

View view_of(Store& store) {
    View view;
    const std::vector<float> query = view_query();
    std::vector<std::pair<std::string, std::string>> names;
    store.list_spaces([&](const std::string& owner, const std::string& collection) {
        names.emplace_back(owner, collection);
        return true;
    });
    for (const auto& [owner, collection] : names) {
        const auto space = store.open_space(owner, collection, false);
        view.words += owner + "/" + collection + "\n";
        std::vector<storage::DocumentInfo> documents;
        space->list_documents("", [&](const storage::DocumentInfo& info) {
            documents.push_back(info);
            return true;
        });
        for (const storage::DocumentInfo& info : documents) {
            const std::string text = space->read_text(info.key, 0, info.bytes + 1);
            if (text.size() != info.bytes || info.bytes_searchable != info.bytes)
                throw std::runtime_error("\"" + info.key + "\" counts other bytes than it has");
            std::vector<std::pair<Digest, uint64_t>> segments;
            uint64_t chunks = 0;
            for (const storage::SegmentInfo& segment : space->list_segments(info.key)) {
                segments.emplace_back(segment.identity, segment.chunks);
                chunks += segment.chunks;
            }
            if (chunks != info.chunks)
                throw std::runtime_error("\"" + info.key + "\" counts other chunks than it has");
            if (chunks > 0 && !space->read_chunk(info.key, info.bytes % chunks))
                throw std::runtime_error("\"" + info.key + "\" lacks a chunk");
            add_document(view.words, info.key, info.finished, info.revision, text,
                         info.content_hash, segments, info.tokens);
        }
        std::vector<std::string> pointers;
        const auto snapshot = store.pointers(space);
        for (const storage::PointerSnapshot::Part& part : snapshot->parts)
            pointers.push_back(bytes_of(part.rows()));
        add_pointer_sum(std::move(pointers), view.words);
        storage::SearchFilter exact;
        exact.exact = true;
        std::set<uint64_t> all;
        std::vector<float>& scores = view.scores.emplace_back();
        for (const storage::Hit& hit : store.search({&space, 1}, query, kMostHits, exact)) {
            scores.push_back(hit.score);
            all.insert(hit.chunk_id);
        }
        for (const storage::Hit& hit : store.search({&space, 1}, query, 8, {}))
            if (!all.contains(hit.chunk_id))
                throw std::runtime_error("the index finds chunk " + std::to_string(hit.chunk_id) +
                                         ", the exact search does not");
    }
    return view;
}

std::string difference(const View& expected, const View& seen) {
    if (expected.words != seen.words) return "expected\n" + expected.words + "seen\n" + seen.words;
    for (size_t i = 0; i < expected.scores.size(); ++i) {
        const auto& a = expected.scores[i];
        const auto& b = seen.scores[i];
        if (a.size() != b.size())
            return "space " + std::to_string(i) + " of the list: " + std::to_string(a.size()) +
                   " chunks expected, " + std::to_string(b.size()) + " found";
        for (size_t k = 0; k < a.size(); ++k)
            if (std::abs(a[k] - b[k]) > 1e-4f * (1 + std::abs(a[k])))
                return "space " + std::to_string(i) + " of the list: score " + std::to_string(k) +
                       " is " + std::to_string(b[k]) + ", not " + std::to_string(a[k]);
    }
    return "";
}

}  // namespace rpt::crash
