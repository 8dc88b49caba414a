/* Prints size and offsets of every record of rpt.h, one a line; the test compares with abi/1.0.layout. */
#include <rpt.h>
#include <stdio.h>

#define SIZE(type) printf("%s %zu\n", #type, sizeof(type))
#define AT(type, field) printf("%s.%s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field))

int main(void) {
    SIZE(rpt_str); AT(rpt_str, data); AT(rpt_str, size);
    SIZE(rpt_span); AT(rpt_span, begin); AT(rpt_span, end);
    SIZE(rpt_error); AT(rpt_error, struct_size); AT(rpt_error, status); AT(rpt_error, os_error);
    AT(rpt_error, flags); AT(rpt_error, offset); AT(rpt_error, domain); AT(rpt_error, message);
    SIZE(rpt_env_options); AT(rpt_env_options, struct_size); AT(rpt_env_options, flags);
    AT(rpt_env_options, worker_threads); AT(rpt_env_options, compute_threads); AT(rpt_env_options, log_level);
    AT(rpt_env_options, reserved0); AT(rpt_env_options, log); AT(rpt_env_options, log_user);
    SIZE(rpt_call); AT(rpt_call, struct_size); AT(rpt_call, flags); AT(rpt_call, timeout_ms); AT(rpt_call, cancel);
    AT(rpt_call, progress); AT(rpt_call, progress_user);
    SIZE(rpt_model_options); AT(rpt_model_options, struct_size); AT(rpt_model_options, flags);
    AT(rpt_model_options, device); AT(rpt_model_options, device_index); AT(rpt_model_options, dtype);
    AT(rpt_model_options, reserved0);
    SIZE(rpt_model_info); AT(rpt_model_info, struct_size); AT(rpt_model_info, chunk_tokens);
    AT(rpt_model_info, block_tokens); AT(rpt_model_info, window_tokens); AT(rpt_model_info, neighbours);
    AT(rpt_model_info, key_dim); AT(rpt_model_info, vocab_size); AT(rpt_model_info, layers);
    AT(rpt_model_info, parameters); AT(rpt_model_info, weight_bytes); AT(rpt_model_info, state_bytes_per_chunk);
    AT(rpt_model_info, fingerprint);
    SIZE(rpt_machine_rates); AT(rpt_machine_rates, struct_size); AT(rpt_machine_rates, reserved0);
    AT(rpt_machine_rates, gemm_flops); AT(rpt_machine_rates, read_bytes);
    AT(rpt_machine_rates, lower_flops_per_token); AT(rpt_machine_rates, decode_bytes_per_token);
    SIZE(rpt_store_options); AT(rpt_store_options, struct_size); AT(rpt_store_options, flags);
    AT(rpt_store_options, model); AT(rpt_store_options, cache_bytes); AT(rpt_store_options, durability);
    AT(rpt_store_options, compression_level);
    SIZE(rpt_store_stats); AT(rpt_store_stats, struct_size); AT(rpt_store_stats, format_version);
    AT(rpt_store_stats, spaces); AT(rpt_store_stats, documents); AT(rpt_store_stats, chunks);
    AT(rpt_store_stats, tokens); AT(rpt_store_stats, text_bytes); AT(rpt_store_stats, text_bytes_disk);
    AT(rpt_store_stats, state_bytes_raw); AT(rpt_store_stats, state_bytes_disk); AT(rpt_store_stats, key_bytes);
    AT(rpt_store_stats, index_bytes); AT(rpt_store_stats, meta_bytes); AT(rpt_store_stats, disk_bytes);
    AT(rpt_store_stats, reclaimable_bytes); AT(rpt_store_stats, cache_bytes); AT(rpt_store_stats, cache_hits);
    AT(rpt_store_stats, cache_misses); AT(rpt_store_stats, generation); AT(rpt_store_stats, index_generation);
    AT(rpt_store_stats, model_fingerprint);
    SIZE(rpt_doc_options); AT(rpt_doc_options, struct_size); AT(rpt_doc_options, flags); AT(rpt_doc_options, key);
    AT(rpt_doc_options, uri); AT(rpt_doc_options, meta_json); AT(rpt_doc_options, timestamp_ms);
    SIZE(rpt_doc_info); AT(rpt_doc_info, struct_size); AT(rpt_doc_info, flags); AT(rpt_doc_info, doc_id);
    AT(rpt_doc_info, revision); AT(rpt_doc_info, bytes_accepted); AT(rpt_doc_info, bytes_searchable);
    AT(rpt_doc_info, tokens); AT(rpt_doc_info, chunks); AT(rpt_doc_info, timestamp_ms);
    AT(rpt_doc_info, content_hash);
    SIZE(rpt_chunk_info); AT(rpt_chunk_info, struct_size); AT(rpt_chunk_info, flags); AT(rpt_chunk_info, ordinal);
    AT(rpt_chunk_info, span); AT(rpt_chunk_info, tokens); AT(rpt_chunk_info, key_dim);
    AT(rpt_chunk_info, key_norm); AT(rpt_chunk_info, state_rms);
    SIZE(rpt_retrieve_options); AT(rpt_retrieve_options, struct_size); AT(rpt_retrieve_options, flags);
    AT(rpt_retrieve_options, k); AT(rpt_retrieve_options, max_per_doc); AT(rpt_retrieve_options, min_score);
    AT(rpt_retrieve_options, has_min_score); AT(rpt_retrieve_options, exclude_key);
    AT(rpt_retrieve_options, exclude_bytes);
    SIZE(rpt_hit); AT(rpt_hit, struct_size); AT(rpt_hit, flags); AT(rpt_hit, rank); AT(rpt_hit, score);
    AT(rpt_hit, gate); AT(rpt_hit, reserved0); AT(rpt_hit, chunk_id); AT(rpt_hit, doc_id); AT(rpt_hit, revision);
    AT(rpt_hit, ordinal); AT(rpt_hit, span); AT(rpt_hit, next); AT(rpt_hit, owner); AT(rpt_hit, collection);
    AT(rpt_hit, key); AT(rpt_hit, uri); AT(rpt_hit, text); AT(rpt_hit, next_text); AT(rpt_hit, timestamp_ms);
    SIZE(rpt_session_options); AT(rpt_session_options, struct_size); AT(rpt_session_options, flags);
    AT(rpt_session_options, spaces); AT(rpt_session_options, n_spaces);
    SIZE(rpt_generate_options); AT(rpt_generate_options, struct_size); AT(rpt_generate_options, flags);
    AT(rpt_generate_options, max_tokens); AT(rpt_generate_options, top_k); AT(rpt_generate_options, temperature);
    AT(rpt_generate_options, top_p); AT(rpt_generate_options, repeat_penalty);
    AT(rpt_generate_options, repeat_window); AT(rpt_generate_options, seed); AT(rpt_generate_options, stop);
    AT(rpt_generate_options, n_stop); AT(rpt_generate_options, retrieve);
    SIZE(rpt_generate_result); AT(rpt_generate_result, struct_size); AT(rpt_generate_result, finish);
    AT(rpt_generate_result, stop_index); AT(rpt_generate_result, retrievals); AT(rpt_generate_result, tokens);
    AT(rpt_generate_result, bytes); AT(rpt_generate_result, seed); AT(rpt_generate_result, first_token_us);
    AT(rpt_generate_result, total_us);
    SIZE(rpt_event); AT(rpt_event, struct_size); AT(rpt_event, type); AT(rpt_event, text); AT(rpt_event, hits);
    AT(rpt_event, at_token); AT(rpt_event, status); AT(rpt_event, reserved0);
    SIZE(rpt_score); AT(rpt_score, struct_size); AT(rpt_score, retrievals); AT(rpt_score, tokens);
    AT(rpt_score, bytes); AT(rpt_score, nll); AT(rpt_score, bits_per_byte);
    SIZE(rpt_scored_chunk); AT(rpt_scored_chunk, struct_size); AT(rpt_scored_chunk, reserved0);
    AT(rpt_scored_chunk, span); AT(rpt_scored_chunk, tokens); AT(rpt_scored_chunk, nll); AT(rpt_scored_chunk, hits);
    return 0;
}
