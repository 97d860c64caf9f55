#include "formats/mlc_config.h"

#include "base/file.h"
#include "formats/fields.h"
#include "formats/names.h"

#include <array>

namespace handloom::formats {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr std::array kQuantizations = {MlcQuantization::q0f16, MlcQuantization::q3f16_1,
                                       MlcQuantization::q4f16_1, MlcQuantization::q4f32_1};
// MLC compiles a Mistral with a window and no context; this is what Mistral 7B was made for.
constexpr uint32_t kWindowedContext = 32768;

Result<MlcQuantization> parse_quantization(const JsonObject& object) {
  TRY(const std::string& name, object.get_string("quantization"));
  std::string known;
  for (const MlcQuantization quantization : kQuantizations) {
    if (to_string(quantization) == name) return quantization;
    known += known.empty() ? "" : ", ";
    known += to_string(quantization);
  }
  return fail(ErrorCode::unsupported,
              "{}: 'quantization' is '{}', which is not supported (supported: {})", object.where(),
              printable(name), known);
}

/// A number above 0, as opposed to absence, null, 0 and -1, all of which mean none to MLC.
bool is_given(const Json& object, std::string_view key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() && it->get<double>() > 0;
}

/// Gemma 3 keeps the text model's fields in an object of their own, and those that MLC does not
/// know in one more.
Json flat_model_config(const Json& model_config) {
  if (!model_config.contains("text_config") || !model_config["text_config"].is_object()) {
    return model_config;
  }
  const Json& text = model_config["text_config"];
  Json flat =
      text.contains("kwargs") && text["kwargs"].is_object() ? text["kwargs"] : Json::object();
  flat.update(text);
  flat.erase("kwargs");
  if (!flat.contains("vocab_size") && model_config.contains("vocab_size")) {
    flat["vocab_size"] = model_config["vocab_size"];
  }
  return flat;
}

/// MLC's -1 becomes null. Gemma's window is never the whole file's: layers differ.
void translate_window(const Json& root, bool gemma, Json& hf) {
  if (is_given(hf, "sliding_window")) return;
  if (is_given(hf, "sliding_window_size")) {
    hf["sliding_window"] = hf["sliding_window_size"];
  } else if (gemma) {
    hf.erase("sliding_window");
  } else {
    hf["sliding_window"] =
        is_given(root, "sliding_window_size") ? root["sliding_window_size"] : Json(nullptr);
  }
}

void translate_context(const Json& root, Json& hf) {
  if (is_given(hf, "max_position_embeddings")) return;
  if (is_given(hf, "context_window_size")) {
    hf["max_position_embeddings"] = hf["context_window_size"];
  } else if (is_given(root, "context_window_size")) {
    hf["max_position_embeddings"] = root["context_window_size"];
  } else if (is_given(hf, "sliding_window")) {
    hf["max_position_embeddings"] = kWindowedContext;
  }
}

void translate_rope(Json& hf) {
  if (is_given(hf, "position_embedding_base")) hf["rope_theta"] = hf["position_embedding_base"];
  // 0 stands for none in Gemma 3's.
  if (hf.contains("rope_scaling") && hf["rope_scaling"].is_number()) hf.erase("rope_scaling");
}

/// model_config in Hugging Face's dialect. `root` is an object that holds model_config, an object.
Json to_hugging_face(const Json& root, const std::string& model_type) {
  Json hf = flat_model_config(root["model_config"]);
  // MLC has one name for Gemma 3 with eyes and without.
  hf["model_type"] = model_type == "gemma3" ? "gemma3_text" : model_type;
  if (!hf.contains("vocab_size") && root.contains("vocab_size"))
    hf["vocab_size"] = root["vocab_size"];
  for (const std::string_view key : {"head_dim", "num_key_value_heads"}) {
    if (!is_given(hf, key)) hf.erase(std::string(key));
  }
  translate_window(root, model_type.starts_with("gemma"), hf);
  translate_context(root, hf);
  translate_rope(hf);
  // Token ids stand beside model_config, not within.
  hf.erase("eos_token_id");
  hf.erase("bos_token_id");
  return hf;
}

/// The sampling defaults and token ids beside model_config have the names that
/// generation_config.json has.
Result<GenerationConfig> parse_defaults(const Json& root, const std::string& where) {
  Json defaults = Json::object();
  for (const std::string key :
       {"eos_token_id", "bos_token_id", "temperature", "top_p", "repetition_penalty"}) {
    if (root.contains(key)) defaults[key] = root[key];
  }
  return parse_generation_config(defaults.dump(), where);
}

/// See parse_mlc_config: ids beyond the vocabulary are another tokenizer's for sure.
void settle_special_ids(MlcConfig& mlc) {
  std::vector<uint32_t>& eos = mlc.generation.eos_ids;
  if (eos.empty() && mlc.conversation) eos = mlc.conversation->stop_ids;
  const uint32_t vocab_size = mlc.config.vocab_size;
  std::erase_if(eos, [&](uint32_t id) { return id >= vocab_size; });
  mlc.config.eos_ids = eos;
  std::optional<uint32_t>& bos = mlc.generation.bos_id;
  if (bos && *bos >= vocab_size) bos.reset();
  mlc.config.bos_id = bos;
}

}  // namespace

std::string_view to_string(MlcQuantization quantization) {
  switch (quantization) {
    case MlcQuantization::q0f16: return "q0f16";
    case MlcQuantization::q3f16_1: return "q3f16_1";
    case MlcQuantization::q4f16_1: return "q4f16_1";
    case MlcQuantization::q4f32_1: return "q4f32_1";
  }
  return "unknown";
}

Result<MlcConfig> parse_mlc_config(std::string_view json, std::string where) {
  TRY(const Json& root, parse_json(json, where));
  TRY(const JsonObject& object, JsonObject::from(root, where));
  MlcConfig mlc;
  TRY(mlc.quantization, parse_quantization(object));
  TRY(const std::string& model_type, object.get_string("model_type"));
  TRY(const JsonObject& model_config, object.get_object("model_config"));
  const Json hf = to_hugging_face(root, model_type);
  TRY(mlc.config, parse_config(hf.dump(), model_config.where()));
  mlc.config.norms_include_one = mlc.config.gemma_norms;
  TRY(mlc.generation, parse_defaults(root, where));
  // Files of 2023 name a template that MLC holds itself; there is nothing in them to read.
  const Json* conversation = object.find("conv_template");
  if (conversation != nullptr && !conversation->is_string()) {
    TRY(const JsonObject& fields, object.get_object("conv_template"));
    TRY(mlc.conversation, parse_conversation(fields));
  }
  settle_special_ids(mlc);
  return mlc;
}

Result<MlcConfig> load_mlc_config(const std::string& folder) {
  const std::string path = folder + "/mlc-chat-config.json";
  TRY(const std::string& text, read_text_file(path, kMaxConfigBytes));
  TRY(MlcConfig mlc, parse_mlc_config(text, path));
  if (file_exists(folder + "/generation_config.json")) {
    TRY(mlc.generation, load_generation_config(folder));
  }
  return mlc;
}

}  // namespace handloom::formats
