// What a store should hold: documents in plain memory, and the steps that change both.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/store.h"
#include "tests/fakes/synthetic_segments.h"

namespace rpt::crash {

inline constexpr synthetic::Shape kShape{24, 8, 0, 6};

enum class Kind : uint8_t {
    kIngest,
    kReplace,
    kSplice,
    kDelete,
    kDropSpace,
    kCompact,
    kBackup,
    kRebuildIndex,
    kSetBudget,
    kSync,
    kReopen,
    kUpgrade,
    kKinds
};
const char* name_of(Kind kind);

struct DocumentTwin {
    bool finished = false;
    uint64_t revision = 1;
    std::vector<synthetic::SegmentName> segments;
};

// A document that a writer has open.
struct WritingTwin {
    size_t space = 0;
    std::string key;
    bool replacement = false;  // invisible before it is finished
    DocumentTwin document;
};

struct SpaceTwin {
    bool exists = false;
    std::map<std::string, DocumentTwin> documents;
};

inline constexpr size_t kSpaces = 5;
// The names of a space; two of them have one owner.
std::string owner_of(size_t space);
std::string collection_of(size_t space);

struct Twin {
    std::array<SpaceTwin, kSpaces> spaces;
    std::optional<WritingTwin> writing;
    uint64_t next_seed = 1000;  // of segments that nothing shares

    // As after a death or a close of the process: a replacement is forgotten.
    void end_writing() { writing.reset(); }
};

// One call on a store, or two where the second cannot fail halfway.
struct Step {
    Kind kind = Kind::kSync;
    size_t space = 0;
    std::string key;
    bool begin = false;   // a writer begins; else the one that is open goes on
    storage::Edit shape;  // first, n_old, finish
    std::vector<synthetic::SegmentName> fresh;
    bool drop_budget = false;
};

Step draw_step(synthetic::Numbers& numbers, Twin& twin);
void apply(const Step& step, Twin& twin);
// The store said no, for want of space: nothing has changed, and its writer is gone.
void refuse(const Step& step, Twin& twin);

// The process that does the steps.
class Session {
  public:
    Session(std::string path, storage::Durability durability);
    // False if it was refused for want of space. Throws what must not happen.
    bool run(const Step& step, const std::string& backup_target);

  private:
    void open();
    std::shared_ptr<storage::Space> space_of(const Step& step);
    void commit(storage::DocumentWriter& writer, const Step& step,
                const std::vector<synthetic::SegmentName>& after, storage::Space& space);
    void write(const Step& step);
    void splice(const Step& step);

    const std::string path_;
    const storage::Durability durability_;
    std::shared_ptr<storage::Store> store_;
    std::unique_ptr<storage::DocumentWriter> writer_;
    std::vector<synthetic::SegmentName> written_;  // by writer_
};

// All that readers can see. Throws std::runtime_error naming what is damaged or differs within
// itself.
struct View {
    std::string words;
    std::vector<std::vector<float>> scores;  // of every space's chunks, falling
};
View view_of(const Twin& twin);
View view_of(storage::Store& store);
// Empty if they are the same, else the first difference.
std::string difference(const View& expected, const View& seen);

storage::StoreOptions options_of(storage::Durability durability);

}  // namespace rpt::crash
