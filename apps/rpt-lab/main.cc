// rpt-lab: makes and measures models.
#include <cstdio>
#include <exception>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/large_blocks.h"
#include "base/error.h"
#include "lab/network/float_products.h"
#include "lab/network/tensor_library.h"

int main(int argc, char** argv) {
    using namespace rpt::lab;
    keep_large_blocks();
    CLI::App app("rpt-lab makes and measures models for librpt", "rpt-lab");
    app.require_subcommand(1);
    app.set_version_flag("--version",
                         [] { return "rpt-lab 0.1.0\n" + rpt::model::tensor_library_facts(); });
    app.footer("Example: rpt-lab train configs/nano.json --data-dir data --out runs/nano");
    Common common;
    app.add_flag("--quiet", common.quiet, "No progress on stderr");
    app.add_flag("--json", common.json, "One JSON object on stdout");
    app.fallthrough();
    add_tokenizer_command(app, common);
    add_data_command(app, common);
    add_train_command(app, common);
    add_targets_command(app, common);
    add_export_command(app, common);
    add_eval_command(app, common);
    add_compare_command(app, common);
    add_dpr_command(app, common);
    add_speed_command(app, common);
    add_prove_command(app, common);
    add_memory_command(app, common);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kWrongUsage;
    }
    try {
        rpt::model::use_fast_float_products();
        return common.action();
    } catch (const rpt::Error& error) {
        std::fprintf(stderr, "rpt-lab: %s\n", error.what());
        return error.status() == rpt::Status::kCancelled ? kInterrupted : kFailed;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "rpt-lab: %s\n", rpt::model::message_of(error).c_str());
        return kFailed;
    }
}
