#include <csignal>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/rpt-lab/commands.h"
#include "apps/rpt-lab/progress_line.h"
#include "base/error.h"
#include "lab/engine/torch_factory.h"
#include "lab/proofs/experiment.h"

namespace rpt::lab {
namespace {

std::atomic<bool> interrupted{false};

void on_interrupt(int) {
    interrupted.store(true);
    std::signal(SIGINT, SIG_DFL);  // a second one ends the program at once
}

struct ProveArguments {
    std::string experiment;
    proofs::ProofOptions options;
    int threads = 2;
    std::string out;
};

std::string figure(double value) {
    if (value < 0) return "-";
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", value);
    return text;
}

void print_rows(const std::vector<proofs::RowFigures>& rows) {
    std::printf("%-22s %-13s %7s %7s %7s %7s %8s %8s %6s %6s %9s %8s\n", "row", "task", "own",
                "oracle", "random", "none", "gold@2", "bm25@2", "gate", "null", "tokens",
                "seconds");
    for (const proofs::RowFigures& r : rows) {
        std::printf("%-22s %-13s %7s %7s %7s %7s %8s %8s %6s %6s %9lld %8.0f\n", r.row.c_str(),
                    r.task.c_str(), figure(r.own).c_str(), figure(r.oracle).c_str(),
                    figure(r.random).c_str(), figure(r.none).c_str(), figure(r.own_recall).c_str(),
                    figure(r.bm25_recall).c_str(), figure(r.gate_mean).c_str(),
                    figure(r.null_mass).c_str(), static_cast<long long>(r.tokens), r.seconds);
    }
}

void print_verdict(const proofs::Verdict& verdict) {
    std::printf("%s: %s (seed %llu, %.0f s)\n", verdict.experiment.c_str(), verdict.shows.c_str(),
                static_cast<unsigned long long>(verdict.seed), verdict.seconds);
    if (!verdict.rows.empty()) print_rows(verdict.rows);
    for (const proofs::Check& check : verdict.checks) {
        std::printf("  %-4s %s: %.4g, expected %s\n", check.passed ? "ok" : "FAIL",
                    check.what.c_str(), check.measured, check.expected.c_str());
    }
    std::printf("%s %s\n", verdict.experiment.c_str(),
                !verdict.judged()  ? "was measured; nothing was foretold"
                : verdict.passed() ? "holds"
                                   : "FAILS");
    std::fflush(stdout);
}

int run(ProveArguments args, const Common& common) {
    engine::set_torch_threads(args.threads);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    ProgressLine progress(common.quiet);
    args.options.run.stop = &interrupted;
    args.options.run.stepped = [&](const std::string& row, const train::StepReport& r,
                                   int64_t steps) {
        char text[160];
        std::snprintf(text, sizeof text, "%s step %lld/%lld loss %.4f aux %.3f %.0f tokens/s",
                      row.c_str(), static_cast<long long>(r.step), static_cast<long long>(steps),
                      r.loss, r.aux, static_cast<double>(r.tokens) / r.total);
        progress.show(text);
    };
    args.options.folder = std::filesystem::temp_directory_path().string();
    std::vector<std::string> names = {args.experiment};
    if (args.experiment == "all-short") {
        args.options.shortened = true;
        names.clear();
        for (const auto& experiment : proofs::experiments()) {
            if (experiment.is_short) names.push_back(experiment.name);
        }
    }
    bool passed = true;
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        const proofs::Verdict verdict = proofs::prove(name, args.options);
        passed = passed && (verdict.passed() || (!verdict.judged() && !verdict.rows.empty()));
        all.push_back(nlohmann::ordered_json::parse(verdict.to_json()));
        if (!common.json) print_verdict(verdict);
    }
    const std::string text = (all.size() == 1 ? all[0] : all).dump(2);
    if (common.json) std::cout << text << "\n";
    if (!args.out.empty()) {
        std::ofstream file(args.out);
        file << text << "\n";
        if (!file.flush()) throw Error(Status::kIo, "os", "cannot write \"" + args.out + "\"");
    }
    return passed ? kDone : kFailed;
}

}  // namespace

void add_prove_command(CLI::App& app, Common& common) {
    CLI::App* command = app.add_subcommand(
        "prove", "Run an experiment on synthetic documents whose outcome is known beforehand");
    const auto args = std::make_shared<ProveArguments>();
    command->add_option("experiment", args->experiment, "S1 to S11, or all-short")->required();
    command
        ->add_option("--rows", args->options.rows,
                     "Rows by the names of their files, or all; default: those that the "
                     "experiment is about")
        ->delimiter(',');
    command->add_option("--configs", args->options.run.configs, "Folder with rows/ and tiers/")
        ->capture_default_str();
    command->add_option("--seed", args->options.run.seed, "Seed of documents, weights and draws")
        ->capture_default_str();
    command->add_option("--steps", args->options.run.steps,
                        "Updates of each row, instead of the tier's");
    command->add_option("--threads", args->threads, "Compute threads")
        ->capture_default_str()
        ->check(CLI::Range(1, 256));
    command
        ->add_option("--set", args->options.run.overrides,
                     "Override a key, such as lr=1e-3 or model.dim=96")
        ->take_all();
    command->add_option("--out", args->out, "Write the verdict as JSON");
    command->footer(
        "Exit code 1 if an expectation fails.\n"
        "Example: rpt-lab prove S3 --rows transformer_xl,retro,rpt_lex,rpt_sem --out s3.json");
    command->callback(
        [args, &common] { common.action = [args, &common] { return run(*args, common); }; });
}

}  // namespace rpt::lab
