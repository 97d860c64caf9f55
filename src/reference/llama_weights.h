// The weights of a Llama in ordinary memory, and reading them from a Hugging Face checkpoint.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "formats/safetensors.h"
#include "reference/host.h"

#include <vector>

namespace handloom::reference {

struct LlamaWeights {
  struct Layer {
    Host attn_norm;    // [model_dim]
    Host attn_qkv;     // [(n_heads + 2 * n_kv_heads) * head_dim, model_dim]: rows [q | k | v]
    Host attn_output;  // [model_dim, n_heads * head_dim]
    Host ffn_norm;     // [model_dim]
    Host ffn_gate_up;  // [2 * ffn_dim, model_dim]: rows [gate | up]
    Host ffn_down;     // [model_dim, ffn_dim]
  };

  Host token_embd;            // [vocab_size, model_dim]
  std::vector<Layer> layers;  // [n_layers]
  Host output_norm;           // [model_dim]
  Host output;                // [vocab_size, model_dim]; equal to token_embd if tied
};

/// Reads every weight as f32. With `stored_as` f16 or bf16 the matrices (the embedding included)
/// are rounded to that type; the norms stay f32, as on the GPU.
///
/// Errors: not_found if a tensor is missing, bad_format if one has another shape than `config`
/// says, unsupported if one is not of a floating-point type.
Result<LlamaWeights> load_llama_weights(const formats::Checkpoint& checkpoint,
                                        const formats::Config& config,
                                        DType stored_as = DType::f32);

}  // namespace handloom::reference
