// A model's blueprint from the metadata of a GGUF file, and back. The Config is the one that the
// model's config.json gives, but for norms_include_one and permuted_qk, which say how the tensors
// of a GGUF file lie. What the file says and handloom does not compute is refused by name.
#pragma once

#include "base/result.h"
#include "formats/config.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"

#include <string>
#include <vector>

namespace handloom::formats {

/// Of a model whose general.architecture is llama (Mistrals are, too), phi3, qwen2, qwen3,
/// qwen3moe, gemma2 or gemma3. The output matrix is tied if there is no output.weight; the
/// vocabulary has as many tokens as token_embd.weight has rows.
///
/// Errors: bad_format (missing, out of range or contradictory), unsupported (another architecture,
/// a feature or a tensor that handloom does not compute with), not_found (token_embd.weight).
Result<Config> config_from_gguf(const Gguf& gguf);

/// The metadata from which config_from_gguf makes `config` again, if the tensors lie as that
/// architecture's do: attn_q and attn_k permuted for llama, 1 added to Gemma's norms, no
/// output.weight if tied. GGUF has no key for some of it; the nearest are taken:
///
/// - Mistral is llama with llama.attention.sliding_window, 0 if it has none.
/// - Phi-3's window is phi3.attention.sliding_window, 0 for none, as converters write it.
/// - Which of Gemma's layers slide is attention.sliding_window_pattern: every how manieth layer
///   does not or, where no number says it, a list of bools, true for those that slide.
/// - A score scale other than the architecture's is attention.scale.
/// - More than one end token: the first is eos_token_id, then come eot_token_id and eom_token_id.
/// - Llama 3's rope scaling becomes the divisors of rope_tensors(), equal to within rounding.
///
/// Error: unsupported for what no key says: more end tokens, a scaled local_rope.
Result<GgufFields> fields_from_config(const Config& config);

/// A tensor of f32 that a model's metadata needs beside it.
struct RopeTensor {
  std::string name;           // "rope_freqs.weight"
  std::vector<float> values;  // [rope.dim / 2] divisors of the frequencies
};

/// rope_freqs.weight for llama3 and divisors, rope_factors_long.weight and
/// rope_factors_short.weight for longrope, else none.
std::vector<RopeTensor> rope_tensors(const Config& config);

}  // namespace handloom::formats
