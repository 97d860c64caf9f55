// What MLC's files call the tensors that handloom calls by GGUF's words.
//
// Two schemes are in use. Most models follow Hugging Face ("model.layers.0.self_attn.qkv_proj"),
// Gemma 3 with "language_model." before it; Phi-3 has "transformer.h.0.mixer.qkv_proj". Matrices
// that read the same input are one, rows of the first above those of the next: queries, keys and
// values (but not in Gemma 3), gate and up. Experts are stacked: [n_experts, rows, columns].
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace handloom::formats {

/// The names under which a Checkpoint of open_mlc may have this tensor, in the order to look for
/// them; the last is the most common. Empty if MLC has no such tensor.
///
///   token_embd.weight  output_norm.weight  output.weight
///   blk.N. attn_norm.weight  post_attn_norm.weight  ffn_norm.weight  post_ffn_norm.weight
///   blk.N. attn_qkv.weight  attn_qkv.bias  attn_output.weight  attn_q_norm.weight
///          attn_k_norm.weight  ffn_gate_up.weight  ffn_down.weight
///   blk.N. attn_q.weight  attn_k.weight  attn_v.weight                       Gemma 3
///   blk.N. router.weight  experts.gate_up.weight  experts.down.weight       Qwen 3 MoE
std::vector<std::string> mlc_names(std::string_view canonical);

}  // namespace handloom::formats
