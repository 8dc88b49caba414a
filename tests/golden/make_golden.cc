// Writes a golden store of the library's present format: make_golden FOLDER [KEY_DIM]. See
// README.md.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"

namespace rpt::storage {
namespace {

using synthetic::SegmentName;

synthetic::Shape shape{24, 8, 0, 9};

std::vector<SegmentName> closed(uint64_t first, uint64_t n) {
    std::vector<SegmentName> names;
    for (uint64_t seed = first; seed < first + n; ++seed)
        names.push_back({seed, static_cast<uint32_t>(1 + seed % 4), false});
    return names;
}

Edit edit_of(const std::vector<SegmentName>& names, bool finish) {
    Edit edit;
    for (const SegmentName& name : names)
        edit.segments.push_back(synthetic::segment_of(name, shape));
    edit.finish = finish;
    if (finish) edit.content_hash = synthetic::hash_of(names);
    return edit;
}

DocumentSpec named(const std::string& key) {
    DocumentSpec spec;
    spec.key = key;
    return spec;
}

void write(Space& space, DocumentSpec spec, const std::vector<SegmentName>& names,
           bool finish = true) {
    spec.uri = "file:///golden/" + spec.key;
    spec.meta_json = "{\"n\":" + std::to_string(names.size()) + "}";
    spec.timestamp_ms = 1700000000000 + static_cast<int64_t>(names.size());
    space.begin_document(spec)->commit(edit_of(names, finish));
}

void fill(Store& store) {
    const auto main = store.open_space("default", "default", true);
    const std::vector<SegmentName> a = closed(1, 12);
    write(*main, named("docs/a.txt"), a);
    std::vector<SegmentName> b = closed(30, 3);
    b.insert(b.end(), a.begin() + 2, a.begin() + 6);  // shared with a
    write(*main, named("docs/b.txt"), b);
    write(*main, named("docs/empty.txt"), {});
    std::vector<SegmentName> open = closed(40, 2);
    open.push_back({50, 3, true});
    write(*main, named("docs/open.txt"), open, false);
    DocumentSpec discarded = named("docs/discarded.txt");
    discarded.discard_text = true;
    write(*main, discarded, closed(60, 4));
    write(*main, named("docs/replaced.txt"), closed(70, 5));
    std::vector<SegmentName> longer;  // so many places that there are sums over them
    for (uint64_t i = 0; i < 70; ++i) longer.push_back({400 + 4 * i, 1, false});
    write(*main, named("docs/long.txt"), longer);
    DocumentSpec replacement = named("docs/replaced.txt");
    replacement.replace = true;
    write(*main, replacement, closed(80, 5));
    write(*main, named("docs/edited.txt"), closed(90, 6));
    std::vector<SegmentName> edited = closed(90, 6);
    const std::vector<SegmentName> middle = closed(110, 2);
    Edit edit = edit_of(middle, false);
    edit.first = 2;
    edit.n_old = 1;
    edited.insert(edited.erase(edited.begin() + 2), middle.begin(), middle.end());
    edit.finish = true;
    edit.content_hash = synthetic::hash_of(edited);
    main->resume_document("docs/edited.txt")->commit(edit);

    const auto notes = store.open_space("alice", "notes", true);
    write(*notes, named("note"), closed(1, 9));
    const auto bob = store.open_space("bob", "default", true);
    write(*bob, named("c.txt"), closed(200, 7));
    store.open_space("bob", "empty", true);
    store.set_budget(64 << 20);
    // More than the deletion erases by itself: the rest waits, unused.
    write(*bob, named("deleted.txt"), closed(300, 24));
    bob->delete_document("deleted.txt");
}

void list(Store& store, const std::string& folder) {
    std::filesystem::create_directory(folder + "/texts");
    std::ofstream documents(folder + "/documents.txt");
    store.list_spaces([&](const std::string& owner, const std::string& collection) {
        const auto space = store.open_space(owner, collection, false);
        documents << "space\t" << owner << "\t" << collection << "\n";
        space->list_documents("", [&](const DocumentInfo& info) {
            documents << "document\t" << info.key << "\t" << info.revision << "\t"
                      << (info.finished ? "finished" : "open") << "\t"
                      << (info.text_discarded ? "discarded" : "kept") << "\t" << info.bytes << "\t"
                      << info.tokens << "\t" << info.chunks << "\t" << info.timestamp_ms << "\t"
                      << info.uri << "\n";
            if (info.text_discarded || info.bytes == 0) return true;
            std::string name = owner + "." + collection + "." + info.key;
            for (char& c : name) c = c == '/' ? '_' : c;
            std::ofstream(folder + "/texts/" + name, std::ios::binary)
                << space->read_text(info.key, 0, info.bytes);
            return true;
        });
        return true;
    });
}

}  // namespace
}  // namespace rpt::storage

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::fprintf(stderr, "usage: make_golden FOLDER [KEY_DIM]\n");
        return 2;
    }
    using namespace rpt::storage;
    const std::string folder = argv[1];
    if (argc == 3) shape.key_dim = static_cast<uint32_t>(std::stoul(argv[2]));
    StoreOptions options;
    options.create = true;
    options.exclusive = true;
    options.model = rpt::synthetic::model_of(shape);
    options.model->context_tokens = 16;
    const auto store = Store::open(folder, options);
    fill(*store);
    list(*store, folder);
    store->close();
    std::filesystem::remove(folder + "/lock");
    std::filesystem::remove_all(folder + "/index");
    return 0;
}
