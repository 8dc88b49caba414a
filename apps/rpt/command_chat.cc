// rpt chat STORE: a talk that is remembered from one run to the next.
#include <CLI/App.hpp>

#include "apps/rpt/chat_talk.h"
#include "apps/rpt/memory_place.h"
#include "apps/rpt/sampling_seed.h"

namespace rpt::cli {
namespace {

int run(const Settings& settings, const TalkOptions& options) {
    check_place_of_memory(options.store, {});
    Workplace place(settings);
    place.open_model(settings, options.store);
    if ((place.model_info().flags & RPT_MODEL_CHATS) == 0)
        throw Failure("model \"" + place.model_path() +
                          "\" has no chat template that is known; take an instruct model "
                          "(ChatML, Llama 3, Mistral, Qwen), or rpt complete",
                      kExitFailed, RPT_ERR_UNSUPPORTED);
    place.open_store(settings, options.store, Access::kCreate);
    place.open_spaces(settings, true);
    const std::unique_ptr<LineSource> lines = open_lines();
    const int code = [&] {
        Talk talk(settings, place, options, *lines);
        return talk.run();
    }();
    place.close_store();
    return code;
}

void add_sampling_options(CLI::App& command, ChatSampling& sampling) {
    command.add_option("-n,--max-tokens", sampling.max_tokens, "The most tokens of an answer")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    command.add_option("-t,--temperature", sampling.temperature, "0: always the likeliest token")
        ->type_name("X")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command.add_option("--top-k", sampling.top_k, "Choose among so many tokens (default: all)")
        ->type_name("N");
    command
        .add_option("--top-p", sampling.top_p,
                    "Choose among tokens that hold this share of the probability")
        ->type_name("X")
        ->check(CLI::Range(0.0, 1.0));
    command
        .add_option("--repeat-penalty", sampling.repeat_penalty,
                    "Above 1: make recent tokens less likely")
        ->type_name("X")
        ->check(CLI::Range(0.0, 100.0));
    command.add_option("--seed", sampling.seed, "Same seed, same answers (default: chosen)")
        ->type_name("N")
        ->check(CLI::Range(uint64_t{0}, kMaxSeed));
}

}  // namespace

void register_chat(Registry& registry) {
    auto options = std::make_shared<TalkOptions>();
    CLI::App* command =
        add_command(registry, registry.app, "chat", "Talk; what is said is remembered",
                    "rpt chat notes --system \"Answer in one sentence.\"");
    command->add_option("STORE", options->store, "Directory of the memory")->required();
    command
        ->add_option("--system", options->system, "What the model is told before the talk begins")
        ->type_name("TEXT");
    command
        ->add_option("--notes", options->n_notes, "Earlier turns that a message is answered with")
        ->type_name("K")
        ->check(CLI::Range(0, 16))
        ->capture_default_str();
    add_sampling_options(*command, options->sampling);
    command->add_option("--owner", registry.settings.owner, "Whose talk")
        ->type_name("NAME")
        ->capture_default_str();
    auto collection = std::make_shared<std::string>("chat");
    command->add_option("--collection", *collection, "Where the turns are kept")
        ->type_name("NAME")
        ->capture_default_str();
    add_model_options(*command, registry.settings);
    add_wait_option(*command, registry.settings);
    command->callback([&registry, options, collection] {
        registry.settings.collections = {*collection};
        registry.action = [options](const Settings& settings) { return run(settings, *options); };
    });
}

}  // namespace rpt::cli
