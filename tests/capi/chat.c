/* Conversations: the library writes the prompt; the session stays as it is. */
#include "expect.h"

static const rpt_turn kTurns[] = {{RPT_SPEAKER_USER, 0, {"the sea", 7}},
                                  {RPT_SPEAKER_ASSISTANT, 0, {"was calm", 8}}};
static const rpt_str kNotes[] = {{"a ship came", 11}, {"stars", 5}};

static rpt_chat talk(void) {
    rpt_chat chat = RPT_CHAT_INIT;
    chat.system.data = "salt";
    chat.system.size = 4;
    chat.turns = kTurns;
    chat.n_turns = 2;
    chat.notes = kNotes;
    chat.n_notes = 2;
    chat.message.data = "what came?";
    chat.message.size = 10;
    return chat;
}

static rpt_status say(rpt_session* session, const rpt_chat* chat, answer* out,
                      rpt_generate_result* result, rpt_error* err) {
    rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
    options.max_tokens = 60;
    options.temperature = 1; /* what a random model thinks likeliest is much the same everywhere */
    options.seed = 5;
    options.chat = chat;
    out->size = 0;
    return rpt_session_generate(session, &options, NULL, add_text, out, result, err);
}

static int same(const answer* a, const answer* b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

int main(int argc, char** argv) {
    place p = place_open(argc, argv);
    rpt_error err = RPT_ERROR_INIT;
    rpt_session *session = NULL, *plain = NULL;
    rpt_model_info info = {.struct_size = sizeof info};
    rpt_generate_result result = {.struct_size = sizeof result};
    static answer by_library, by_hand, again;
    rpt_chat chat = talk();
    rpt_turn wrong = {7, 0, {"x", 1}};
    rpt_str broken = {"ab\xff", 3};
    char* longer = make_text(4000, 3);

    EXPECT_OK(rpt_model_get_info(p.model, &info, &err));
    EXPECT(info.flags & RPT_MODEL_CHATS);
    EXPECT_OK(rpt_session_new(p.model, NULL, &session, &err));
    EXPECT_OK(say(session, &chat, &by_library, &result, &err));
    EXPECT(by_library.size > 0 && by_library.size == result.bytes);
    EXPECT(result.chat_turns == 2 && result.chat_notes == 2);
    EXPECT(rpt_session_offset(session) == 0);
    EXPECT_OK(say(session, &chat, &again, &result, &err));
    EXPECT(same(&by_library, &again));

    /* The form writes system and notes into the last question. Without turns there is no special
     * token in it, so a host can write the same by hand. */
    chat.n_turns = 0;
    EXPECT_OK(say(session, &chat, &by_library, &result, &err));
    EXPECT(result.chat_turns == 0 && !same(&by_library, &again));
    {
        static const char hand[] =
            "[INST] salt\n\nMy notes:\n- a ship came\n- stars\n\nwhat came? [/INST]";
        rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
        options.max_tokens = 60;
        options.temperature = 1;
        options.seed = 5;
        EXPECT_OK(rpt_session_new(p.model, NULL, &plain, &err));
        EXPECT_OK(rpt_session_read(plain, hand, sizeof hand - 1, NULL, &err));
        EXPECT_OK(rpt_session_generate(plain, &options, NULL, add_text, &by_hand, &result, &err));
        EXPECT(same(&by_library, &by_hand));
        rpt_session_free(plain);
    }

    /* hosts that know less: their records end earlier */
    {
        struct {
            rpt_generate_result result;
            uint64_t behind;
        } old = {.behind = 42};
        rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
        old.result.chat_turns = old.result.chat_notes = 77;
        old.result.struct_size = (uint32_t)offsetof(rpt_generate_result, chat_turns);
        options.struct_size = (uint32_t)offsetof(rpt_generate_options, chat);
        options.chat = &chat; /* not looked at */
        options.max_tokens = 3;
        EXPECT_OK(rpt_session_read(session, "the sea", 7, NULL, &err));
        EXPECT_OK(rpt_session_generate(session, &options, NULL, NULL, NULL, &old.result, &err));
        EXPECT(old.result.tokens > 0 && old.result.chat_turns == 77 && old.behind == 42);
        EXPECT(rpt_session_offset(session) == 7 + old.result.bytes);
    }

    /* what is refused */
    chat = talk();
    chat.message.size = 0;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "chat.message");
    chat = talk();
    chat.turns = &wrong;
    chat.n_turns = 1;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "speaker 7");
    chat = talk();
    chat.notes = &broken;
    chat.n_notes = 1;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_UTF8, "chat.notes[0]");
    EXPECT(err.offset == 2);
    chat = talk();
    chat.turns = NULL;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "chat.turns");
    chat = talk();
    chat.n_notes = 65;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "chat.notes");
    chat = talk();
    chat.flags = 1;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "chat.flags");
    chat = talk();
    chat.struct_size = 8;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_ARGUMENT, "chat");
    chat = talk();
    chat.message.data = longer;
    chat.message.size = 4000;
    EXPECT_FAILS(say(session, &chat, &again, NULL, &err), RPT_ERR_TOO_LARGE, "room for");
    {
        rpt_generate_options options = RPT_GENERATE_OPTIONS_INIT;
        chat = talk();
        options.chat = &chat;
        options.suffix.data = "after";
        options.suffix.size = 5;
        EXPECT_FAILS(rpt_session_generate(session, &options, NULL, NULL, NULL, NULL, &err),
                     RPT_ERR_ARGUMENT, "suffix");
    }
    free(longer);
    rpt_session_free(session);
    place_close(&p);
    return 0;
}
