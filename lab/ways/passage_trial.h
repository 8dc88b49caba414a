// A passage read in several ways, by sessions as the product has them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/engine/engine.h"
#include "core/reader/session.h"
#include "lab/ways/document_choosers.h"
#include "lab/ways/passage.h"
#include "lab/ways/way.h"

namespace rpt::ways {

struct Tried {
    double nats = 0;
    uint64_t tokens = 0;
    double seconds = 0;        // of processor time for what is scored, not for the context
    double seconds_again = 0;  // the same once more, with what the engine then keeps of chunks
};

// The context is read without chunks in all ways that choose some, so all of them begin alike; what
// is scored reads as the way says. In the way `text` every piece is a question of its own, and the
// session reads it afterwards; in all others the pieces are one text. One thread at a time.
class PassageTrial {
  public:
    // `rounded`: the same engine with_rounded_states(). The passage is borrowed.
    PassageTrial(std::shared_ptr<const engine::Engine> engine,
                 std::shared_ptr<const engine::Engine> rounded, const Passage& passage);
    // Without `twice` nothing is scored once more, nor is it ever in the way `text`. kArgument for
    // a model that cannot read so.
    Tried run(const Way& way, bool twice = false);

  private:
    struct Reader {
        std::shared_ptr<TurnedChooser> chooser;
        std::unique_ptr<reader::Session> session;
    };
    // Has read the context, and may be told to read in the ways `reading`.
    Reader new_reader(uint32_t reading, const Way& way) const;
    Reader& reader_of(const Way& way);
    std::shared_ptr<const reader::ChunkChooser> chooser_of(Chooser kind);

    std::shared_ptr<const engine::Engine> engine_, rounded_;
    const Passage& passage_;
    std::vector<int32_t> tokens_;  // of the whole passage, as a session has them
    std::map<std::pair<uint32_t, bool>, Reader> readers_;  // by reading and rounding
    std::map<Chooser, std::shared_ptr<const reader::ChunkChooser>> choosers_;
};

}  // namespace rpt::ways
