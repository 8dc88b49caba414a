// Documents whose chunks say whose they are: in their text, unless it is common to all owners, and
// in their states.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/store.h"

namespace rpt::many {

inline constexpr uint32_t kCollections = 4;

struct Mark {
    uint32_t owner = 0, collection = 0;
    bool operator==(const Mark&) const = default;
};

std::string owner_name(uint32_t owner);
std::string collection_name(uint32_t collection);

// Texts of the chunks of one document, each a segment of its own. `owner` and what follows stand in
// each text of an own document; common ones are the same for everybody.
std::vector<std::string> own_texts(Mark mark, uint64_t document, uint64_t revision, size_t n);
std::vector<std::string> common_texts(uint64_t document, size_t n);
// False if the text names its owner and it is another.
bool text_allows(const std::string& text, const std::string& owner);

// A key that depends on the text alone.
std::vector<float> key_of(const std::string& text, uint32_t dim);
Mark read_mark(std::span<const float> states);

// Writes a document of these texts whole; segments that the space has are only named, as the reader
// does. False if the key is there (without `replace`) or busy.
bool put_document(storage::Space& space, const storage::ModelBinding& model, Mark mark,
                  const std::string& key, const std::vector<std::string>& texts, bool replace);

}  // namespace rpt::many
