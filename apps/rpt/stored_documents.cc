#include "apps/rpt/stored_documents.h"

#include "apps/rpt/document_key.h"
#include "apps/rpt/memory_access.h"

namespace rpt::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxUp = 8;  // "../" in front of a key that another folder gave

// What a person may have called a file who stood somewhere else.
std::vector<std::string> other_names(const fs::path& real) {
    std::vector<std::string> names;
    const std::string& whole = real.native();
    for (size_t slash = whole.find('/'); slash != std::string::npos;
         slash = whole.find('/', slash + 1)) {
        std::string name = whole.substr(slash + 1);
        for (int up = 0; up < kMaxUp; ++up, name = "../" + name) names.push_back(name);
    }
    return names;
}

}  // namespace

void StoredDocuments::list() {
    if (is_listed_) return;
    is_listed_ = true;
    if (space_ == nullptr) return;
    list_documents(space_, [&](const std::string& key, const rpt_doc_info& info) {
        entries_.try_emplace(key).first->second.info = info;
    });
}

StoredDocuments::Entry* StoredDocuments::find(const std::string& key) {
    const auto known = entries_.find(key);
    if (known != entries_.end()) return &known->second;
    if (is_listed_ || space_ == nullptr || key.size() > kMaxKeyBytes) return nullptr;
    rpt_doc_info info = {};
    info.struct_size = sizeof(info);
    Error error;
    const rpt_status status = rpt_doc_stat(space_, key.c_str(), &info, error.out());
    if (status == RPT_ERR_NOT_FOUND) return nullptr;
    error.check(status);
    return &entries_.emplace(key, Entry{info, std::nullopt}).first->second;
}

fs::path StoredDocuments::file_of(const std::string& key) {
    Entry* entry = find(key);
    if (entry == nullptr) return {};
    if (!entry->file) entry->file = path_of_name(read_field(space_, key, RPT_FIELD_URI));
    return *entry->file;
}

bool StoredDocuments::is_of(const std::string& key, const std::string& shown,
                            const fs::path& real) {
    if (find(key) == nullptr) return false;
    const fs::path file = file_of(key);
    // A program that told nothing of where its text came from may well mean this file.
    if (file.empty() || file == real) return true;
    // Older memories hold the path with its links.
    std::error_code error;
    return file == fs::absolute(shown, error).lexically_normal();
}

DocumentChoice StoredDocuments::named(const std::string& key) {
    const Entry* entry = find(key);
    return {key, entry != nullptr ? std::optional(entry->info) : std::nullopt, entry != nullptr};
}

DocumentChoice StoredDocuments::choose(const std::string& shown, const fs::path& real) {
    const std::string plain = name_of_path(shown), whole = name_of_path(real.native());
    for (const std::string& key : {plain, whole})
        if (is_of(key, shown, real)) return named(key);
    list();
    if (!entries_.empty()) {
        for (const std::string& name : other_names(real)) {
            const std::string key = name_of_path(name);
            if (entries_.contains(key) && file_of(key) == real) return named(key);
        }
    }
    const Entry* taken = find(plain);
    if (taken == nullptr) return {plain, std::nullopt, false};
    std::error_code error;
    const fs::file_status there = fs::symlink_status(file_of(plain), error);
    // The choice between a file that moved and another one is the caller's, who knows the text.
    if (there.type() == fs::file_type::not_found) return {plain, taken->info, false};
    return {whole, std::nullopt, false};
}

void StoredDocuments::for_each_file(
    const std::function<void(const std::string& key, const fs::path& file)>& visit) {
    list();
    std::vector<std::string> keys;  // the visitor may remove
    for (const auto& [key, entry] : entries_) keys.push_back(key);
    for (const std::string& key : keys) {
        const fs::path file = file_of(key);
        if (!file.empty() && is_path_form(path_of_name(key), file)) visit(key, file);
    }
}

void StoredDocuments::added(const std::string& key, const fs::path& file,
                            const rpt_doc_info& info) {
    entries_[key] = {info, file};
}

void StoredDocuments::removed(const std::string& key) {
    entries_.erase(key);
}

}  // namespace rpt::cli
