#include "apps/rpt/file_document.h"

#include "apps/rpt/add_stdin.h"
#include "apps/rpt/document_key.h"
#include "apps/rpt/interrupt.h"
#include "apps/rpt/text_file.h"

namespace rpt::cli {
namespace {

constexpr uint64_t kFlushBytes =
    1 << 20;  // of text between two flushes of a file: bounds what waits in memory

// Statuses that tell of the file, not of the memory or the machine.
bool is_of_the_file(rpt_status status) {
    return status == RPT_ERR_UTF8 || status == RPT_ERR_ARGUMENT || status == RPT_ERR_TOO_LARGE;
}

template <class Work>
auto guarded(const Work& work) {
    try {
        return work();
    } catch (const Failure& failure) {
        if (is_of_the_file(failure.status())) throw FileFailure(failure.what());
        throw;
    }
}

}  // namespace

rpt_doc_info write_document(const Settings& settings, rpt_space* space, const FoundFile& file,
                            const std::string& key, bool replace, Progress& progress,
                            const std::function<void()>& between) {
    TextFile text(file.place, settings.text);
    if (!text.is_open()) throw FileFailure(text.problem(), text.is_missing());
    return guarded([&] {
        const Document document =
            begin_document(space, key, name_of_path(file.real.native()), text.modified_ms(),
                           writing_flags(settings, replace));
        std::string piece;
        for (uint64_t unflushed = 0;;) {
            const auto got = text.read_piece(piece);
            if (!got && interrupted()) fail_interrupted();
            if (!got) throw FileFailure(text.problem());
            if (*got == 0) break;
            Call call;
            Error error;
            error.check(
                rpt_doc_append(document.get(), piece.data(), *got, call.get(), error.out()));
            unflushed += *got;
            if (unflushed >= kFlushBytes) {
                error.check(rpt_doc_flush(document.get(), 0, call.get(), nullptr, error.out()));
                unflushed = 0;
            }
            progress.add(*got);
            between();
        }
        return finish_document(document);
    });
}

}  // namespace rpt::cli
