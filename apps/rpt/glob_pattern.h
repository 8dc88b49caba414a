// Patterns of .gitignore files against paths, as git's own matcher reads them.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rpt::cli {

// '*', '?' and classes stay inside a name. "**" as a whole name stands for any number of names, the
// end "/**" for everything below. '\' takes the next byte as it is. All are bytes, as for git: '?'
// is half of a character of two bytes. A pattern that is not whole, such as "[a" or "a\", matches
// nothing. Takes at most the length of the pattern times the length of the text.
class GlobPattern {
  public:
    explicit GlobPattern(std::string_view pattern);
    bool matches(std::string_view text) const;

  private:
    // What stands behind the literal start of the pattern. A text matches if there is a way from
    // the first step to the one behind the last that uses up all its bytes.
    struct Step {
        enum class Kind : uint8_t {
            kByte,    // one byte, `value`
            kClass,   // one byte of classes_[value]
            kStar,    // any bytes but '/'
            kAcross,  // any bytes
            kFolders  // "**/": the two steps behind it, or neither
        };
        Kind kind;
        uint32_t value = 0;
    };
    using ByteSet = std::bitset<256>;

    void compile(std::string_view pattern);
    size_t compile_stars(std::string_view pattern, size_t at);
    void close(std::vector<uint8_t>& active) const;
    bool take(const Step& step, unsigned char byte) const;

    std::string literal_;
    std::vector<Step> steps_;
    std::vector<ByteSet> classes_;
    bool whole_ = true;
};

}  // namespace rpt::cli
