#include "apps/rpt/model_making.h"

#include <filesystem>

#include "apps/rpt/memory_access.h"
#include "apps/rpt/memory_pairing.h"
#include "apps/rpt/model_location.h"
#include "apps/rpt/output.h"
#include "apps/rpt/workplace.h"

namespace rpt::cli {

namespace fs = std::filesystem;

namespace {

MemoryFile make_memory(rpt_env* env, const Settings& settings, const std::string& model) {
    const std::string path = memory_beside(model);
    remark(settings,
           "no memory file is known for this model; making an untrained one, which takes "
           "as long as reading 25 kB");
    Progress progress("making memory", 0, Progress::Unit::kTokens, settings.quiet);
    const Call call(&progress);
    Error error;
    error.check(rpt_model_make_memory(env, model.c_str(), path.c_str(), call.get(), error.out()));
    return read_memory_file(path);
}

}  // namespace

MadeModel make_model(rpt_env* env, const Settings& settings, const std::string& source,
                     const std::string& out) {
    MadeModel made;
    made.facts.struct_size = sizeof made.facts;
    {
        Progress progress("importing model", 0, Progress::Unit::kBytes, settings.quiet);
        const Call call(&progress);
        Error error;
        error.check(rpt_model_import(env, source.c_str(), out.c_str(), call.get(), &made.facts,
                                     error.out()));
    }
    made.memory =
        bring_memory(source, out, hex(made.facts.fingerprint, sizeof made.facts.fingerprint));
    if (!made.memory.path.empty()) return made;
    try {
        made.memory = make_memory(env, settings, out);
    } catch (const Failure& failure) {
        if (failure.status() == RPT_ERR_UNSUPPORTED) return made;  // it has a memory of its own
        std::error_code ignored;
        fs::remove(out, ignored);
        throw;
    }
    return made;
}

std::string place_of_user_model(const std::string& name) {
    const std::string folder = user_models();
    if (folder.empty())
        throw Failure("neither XDG_DATA_HOME nor HOME is set; give a file with --out");
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw Failure("cannot make folder \"" + folder + "\": " + error.message());
    return (fs::path(folder) / (name + ".safetensors")).string();
}

}  // namespace rpt::cli
