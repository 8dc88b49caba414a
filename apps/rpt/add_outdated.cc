// The part of AddRun that lets go of documents whose files have gone.
#include <algorithm>

#include "apps/rpt/add_run.h"
#include "apps/rpt/output.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& file, const fs::path& folder) {
    if (file == folder) return true;
    const std::string prefix = folder == "/" ? "/" : folder.native() + "/";
    return file.native().starts_with(prefix);
}

bool is_below_any(const fs::path& file, const std::vector<fs::path>& folders) {
    return std::ranges::any_of(folders, [&](const fs::path& f) { return is_below(file, f); });
}

std::set<fs::path> found_in(const Walk& walk) {
    std::set<fs::path> found;
    for (const FoundFile& file : walk.files) found.insert(file.real);
    return found;
}

// Nothing has this name, as far as the system can tell.
bool is_gone(const fs::path& file) {
    std::error_code error;
    return fs::symlink_status(file, error).type() == fs::file_type::not_found;
}

}  // namespace

// The first run asks the memory which files it holds. A watcher takes away those that are gone; a
// person who gives --prune also those that the walk leaves out.
void AddRun::find_outdated_in_memory(Pass& pass) {
    const Walk& walk = pass.walk;
    const bool asks_missing = options_.prune && !walk.missing.empty();
    if (!options_.key.empty() || (walk.roots.empty() && !asks_missing)) return;
    const std::set<fs::path> found = found_in(walk);
    // A folder that holds nothing at all may be a disk that is not there.
    const auto holds_files = [&](const fs::path& root) {
        const auto next = found.lower_bound(root);
        return next != found.end() && is_below(*next, root);
    };
    documents_.for_each_file([&](const std::string& key, const fs::path& file) {
        if (found.contains(file) || is_below_any(file, walk.unknown)) return;
        const auto root = std::ranges::find_if(
            walk.roots, [&](const fs::path& folder) { return is_below(file, folder); });
        const bool was_named = std::ranges::count(walk.missing, file) > 0;
        if (root == walk.roots.end() && !(was_named && options_.prune)) return;
        if (options_.watch && !options_.prune && (!is_gone(file) || !holds_files(*root))) return;
        pass.outdated.push_back({key, file});
    });
}

// Later runs know which files there were.
void AddRun::find_outdated_since(Pass& pass) {
    const Walk& walk = pass.walk;
    const std::set<fs::path> found = found_in(walk);
    for (auto seen = seen_.begin(); seen != seen_.end();) {
        const fs::path& file = seen->first;
        // A folder that was named and is not there may come back; a file that was named has gone.
        const bool below_missing = std::ranges::any_of(walk.missing, [&](const fs::path& missing) {
            return file != missing && is_below(file, missing);
        });
        if (found.contains(file) || reading_.contains(file) || below_missing ||
            is_below_any(file, walk.unknown) || is_other_disk(file)) {
            ++seen;
            continue;
        }
        if (!seen->second.key.empty()) pass.outdated.push_back({seen->second.key, file});
        seen = seen_.erase(seen);
    }
}

// The nearest folder that is there belongs to another disk than before: one was taken out.
bool AddRun::is_other_disk(const fs::path& file) const {
    for (fs::path at = file.parent_path();; at = at.parent_path()) {
        const auto identity = identity_of(at);
        if (!identity && at != at.parent_path()) continue;
        const auto before = disks_.find(at);
        return identity && before != disks_.end() && before->second != identity->device;
    }
}

void AddRun::settle_outdated(Pass& pass) {
    if (!options_.watch && !options_.prune) {
        pass.outcome.gone = pass.outdated.size();
        return;
    }
    for (const Outdated& one : pass.outdated) {
        const DocumentChoice stored = documents_.named(one.key);
        if (!stored.info) continue;
        open_for_writing();
        Error error;
        const rpt_status status =
            rpt_doc_delete(place_.spaces.front().get(), one.key.c_str(), error.out());
        if (status != RPT_ERR_NOT_FOUND) error.check(status);
        documents_.removed(one.key);
        ++pass.outcome.deleted;
        std::erase_if(pass.outcome.failed, [&](const PassedFile& file) {
            std::error_code ignored;
            return fs::absolute(file.path, ignored).lexically_normal() == one.file &&
                   is_gone(one.file);
        });
    }
}

}  // namespace rpt::cli
