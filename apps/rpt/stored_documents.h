// The documents of one space of a memory as the files that they were read from.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/rpt/handles.h"

namespace rpt::cli {

// The document of a file, or the key that it will get. A file that has a document keeps its key. A
// new one is called as a person typed its path; if another file's document has that key, it is
// called by its absolute path.
struct DocumentChoice {
    std::string key;
    std::optional<rpt_doc_info> info;  // of the document that has this key
    bool is_own = false;               // that document is this file's, and not one that went
};

// Remembers what it has seen, so that a run over many files costs one listing. One thread.
class StoredDocuments {
  public:
    StoredDocuments() = default;  // of a memory that is not there yet
    explicit StoredDocuments(rpt_space* space) : space_(space) {}

    // Makes many questions cheaper, by one listing.
    void list();
    // `shown` is the path as it was given, `real` the absolute one.
    DocumentChoice choose(const std::string& shown, const std::filesystem::path& real);
    // The document of a key that a person gave.
    DocumentChoice named(const std::string& key);
    // Absolute path of the file that a document was read from; empty if it was none.
    std::filesystem::path file_of(const std::string& key);

    // Keys of documents whose key is a form of the path of their file, with that path.
    void for_each_file(const std::function<void(const std::string& key,
                                                const std::filesystem::path& file)>& visit);

    void added(const std::string& key, const std::filesystem::path& file, const rpt_doc_info& info);
    void removed(const std::string& key);

  private:
    struct Entry {
        rpt_doc_info info = {};
        std::optional<std::filesystem::path> file;  // as far as it was asked for
    };
    Entry* find(const std::string& key);
    bool is_of(const std::string& key, const std::string& shown, const std::filesystem::path& real);

    rpt_space* space_ = nullptr;
    bool is_listed_ = false;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace rpt::cli
