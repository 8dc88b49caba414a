/* The header alone, first and twice, in every dialect that the build names; nothing else is needed
 * to use it. */
#include <rpt.h>

int rpt_header_test(void);
int rpt_header_test(void) {
    rpt_error err = RPT_ERROR_INIT;
    rpt_env_options env = RPT_ENV_OPTIONS_INIT;
    rpt_call call = RPT_CALL_INIT;
    rpt_model_options model = RPT_MODEL_OPTIONS_INIT;
    rpt_store_options store = RPT_STORE_OPTIONS_INIT;
    rpt_doc_options doc = RPT_DOC_OPTIONS_INIT;
    rpt_retrieve_options retrieve = RPT_RETRIEVE_OPTIONS_INIT;
    rpt_session_options session = RPT_SESSION_OPTIONS_INIT;
    rpt_generate_options generate = RPT_GENERATE_OPTIONS_INIT;
    return (int)(err.struct_size + env.struct_size + call.struct_size + model.struct_size +
                 store.struct_size + doc.struct_size + retrieve.struct_size + session.struct_size +
                 generate.struct_size);
}
