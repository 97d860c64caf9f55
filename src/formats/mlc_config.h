// mlc-chat-config.json: what a model compiled for MLC says about itself. Its model_config has
// Hugging Face's keys but for a few; it is put into that dialect and read by parse_config, so that
// both kinds of folder pass the same checks.
#pragma once

#include "formats/config.h"
#include "formats/conversation.h"
#include "formats/generation_config.h"

#include <optional>
#include <string>
#include <string_view>

namespace handloom::formats {

/// How MLC stored the matrices: bits, type of the scales, and the version of the layout.
enum class MlcQuantization { q0f16, q3f16_1, q4f16_1, q4f32_1 };

/// "q4f16_1"
std::string_view to_string(MlcQuantization quantization);

struct MlcConfig {
  Config config;  // as from config.json; mlc_names.h tells which matrices the files hold as one
  MlcQuantization quantization = MlcQuantization::q0f16;
  GenerationConfig generation;               // generation_config.json's, else what this file says
  std::optional<Conversation> conversation;  // for a folder without a Jinja template
};

/// `where` begins every error message; those about model_config use Hugging Face's keys, so
/// rope_theta for position_embedding_base and max_position_embeddings for context_window_size.
///
/// The ids that end a text are eos_token_id, or else conv_template's stop_token_ids; neither is
/// reliable, as MLC writes some of them for another tokenizer. What generation_config.json or the
/// tokenizer's own configuration says is to be preferred.
///
/// Errors: bad_format, unsupported (another quantisation or architecture).
Result<MlcConfig> parse_mlc_config(std::string_view json, std::string where);

/// Reads `folder`/mlc-chat-config.json, and generation_config.json if that is there. Further
/// errors: not_found, io.
Result<MlcConfig> load_mlc_config(const std::string& folder);

}  // namespace handloom::formats
