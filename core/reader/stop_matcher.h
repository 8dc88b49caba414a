// Looks for stop strings in text that arrives in pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::reader {

// The match that is complete first wins; of those that end at the same byte the longest, then the
// one named first. So the outcome does not depend on how the text was cut. One thread at a time.
class StopMatcher {
  public:
    // kArgument for an empty stop string or one that is not valid UTF-8.
    explicit StopMatcher(std::vector<std::string> stops);

    // Adds text in whole code points; returns what is now certain to stand before any match. After
    // a match: the text before it, and nothing more is taken.
    std::string push(std::string_view text);
    std::optional<uint32_t> matched() const { return matched_; }
    // What is kept back because it could have become a stop string; to be delivered when the text
    // ends without one.
    std::string take_held();

  private:
    // Length of the longest end of `held_` with which a stop string begins.
    size_t open_prefix() const;

    std::vector<std::string> stops_;
    std::string held_;
    std::optional<uint32_t> matched_;
};

}  // namespace rpt::reader
