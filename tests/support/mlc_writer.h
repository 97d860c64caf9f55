// Writes a checkpoint of Hugging Face's as the folder that MLC would make of it. The encoders are
// the definition of the format in plain loops, and share nothing with src/formats but Checkpoint.
#pragma once

#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "base/md5.h"
#include "formats/safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::test {

struct MlcOptions {
  std::string quantization = "q4f16_1";  // or q0f16, q4f32_1, q3f16_1
  bool phi3_names = false;               // transformer.h.0.mixer, as published for Phi-3
  bool flat = false;                     // an index whose records name their own files
  bool f32_to_bf16 = true;               // floats of 32 bits lie in the files as bf16
  size_t shard_bytes = 100'000;          // a larger tensor has a shard of its own
  std::string index = "tensor-cache.json";
};

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

inline Json read_json(const std::string& path) {
  return Json::parse(must(read_text_file(path)), nullptr, false);
}

inline void write_text(const std::string& path, std::string_view text) {
  const std::vector parts = {std::as_bytes(std::span(text))};
  if (const auto done = write_file(path, parts); !done) {
    throw std::runtime_error(done.error().message);
  }
}

/// Values of 3 or 4 bits, lowest bits first in u32 words, each group of a row with a scale:
/// value = (code - middle) * scale, middle 3 or 7. The last group of a row may be cut short; its
/// words are there nevertheless.
struct MlcMatrix {
  uint32_t rows = 0, columns = 0, bits = 0;
  std::vector<uint32_t> words;  // [rows, 4 * n_groups]
  std::vector<float> scales;    // [rows, n_groups]

  uint32_t group() const { return bits == 3 ? 40 : 32; }
  uint32_t per_word() const { return 32 / bits; }
  uint32_t n_groups() const { return (columns + group() - 1) / group(); }

  float value(uint32_t row, uint32_t column) const {
    const uint32_t word = words[row * 4 * n_groups() + column / per_word()];
    const uint32_t code = word >> (bits * (column % per_word())) & ((1u << bits) - 1);
    const int middle = (1 << (bits - 1)) - 1;
    return static_cast<float>(static_cast<int>(code) - middle) *
           scales[row * n_groups() + column / group()];
  }
};

/// As MLC does it, with the scale first rounded to the type it is stored in.
inline MlcMatrix mlc_encode(std::span<const float> values, uint32_t rows, uint32_t columns,
                            uint32_t bits, float (*round_scale)(float)) {
  MlcMatrix m{.rows = rows, .columns = columns, .bits = bits};
  m.words.assign(size_t{rows} * 4 * m.n_groups(), 0);
  m.scales.assign(size_t{rows} * m.n_groups(), 0);
  const float middle = static_cast<float>((1 << (bits - 1)) - 1);
  for (uint32_t row = 0; row < rows; ++row) {
    for (uint32_t g = 0; g < m.n_groups(); ++g) {
      const uint32_t begin = g * m.group(), end = std::min(begin + m.group(), columns);
      float largest = 0;
      for (uint32_t c = begin; c < end; ++c) {
        largest = std::max(largest, std::abs(values[size_t{row} * columns + c]));
      }
      const float scale = round_scale(largest / middle);
      m.scales[row * m.n_groups() + g] = scale;
      for (uint32_t c = begin; c < end; ++c) {
        const float steps = scale == 0 ? 0 : values[size_t{row} * columns + c] / scale;
        const float code = std::clamp(std::round(steps + middle), 0.0f, 2 * middle);
        m.words[row * 4 * m.n_groups() + c / m.per_word()] |= static_cast<uint32_t>(code)
                                                              << (bits * (c % m.per_word()));
      }
    }
  }
  return m;
}

inline float through_f16(float value) { return f16_to_f32(f32_to_f16(value)); }
inline float through_bf16(float value) { return bf16_to_f32(f32_to_bf16(value)); }
inline float through_f32(float value) { return value; }

/// Collects tensors into shards and writes the index.
class MlcFolder {
 public:
  MlcFolder(std::string folder, MlcOptions options)
      : folder_(std::move(folder)), options_(std::move(options)) {
    std::filesystem::create_directories(folder_);
  }

  void add_floats(const std::string& name, const std::vector<uint32_t>& shape,
                  std::span<const float> values, bool f32) {
    std::string bytes;
    for (const float value : values) {
      if (f32 && !options_.f32_to_bf16) {
        append(bytes, value);
      } else {
        append(bytes, f32 ? f32_to_bf16(value) : f32_to_f16(value));
      }
    }
    add(name, shape, f32 ? "float32" : "float16", bytes);
  }

  void add_words(const std::string& name, const std::vector<uint32_t>& shape,
                 std::span<const uint32_t> words) {
    std::string bytes;
    for (const uint32_t word : words) append(bytes, word);
    add(name, shape, "uint32", bytes);
  }

  void finish() {
    flush();
    write_text(folder_ + "/" + options_.index,
               Json{{"metadata", {{"ParamSize", n_tensors_}}}, {"records", records_}}.dump(1));
  }

 private:
  template <class T>
  static void append(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void add(const std::string& name, const std::vector<uint32_t>& shape, std::string_view dtype,
           const std::string& bytes) {
    if (shard_.size() + bytes.size() > options_.shard_bytes) flush();
    // TVM writes the same format beside every tensor, whatever its type.
    pending_.push_back({{"name", name},
                        {"shape", shape},
                        {"dtype", dtype},
                        {"format", options_.f32_to_bf16 ? "f32-to-bf16" : "raw"},
                        {"nbytes", bytes.size()},
                        {"byteOffset", shard_.size()}});
    shard_ += bytes;
    ++n_tensors_;
  }

  void flush() {
    if (pending_.empty()) return;
    const std::string file = fmt::format("params_shard_{}.bin", n_shards_++);
    write_text(folder_ + "/" + file, shard_);
    const std::string md5 = md5_hex(std::as_bytes(std::span(shard_)));
    if (options_.flat) {
      for (Json& record : pending_) {
        record["dataPath"] = file;
        records_.push_back(std::move(record));
      }
    } else {
      records_.push_back({{"dataPath", file},
                          {"format", "raw-shard"},
                          {"nbytes", shard_.size()},
                          {"records", pending_},
                          {"md5sum", md5}});
    }
    pending_ = Json::array();
    shard_.clear();
  }

  std::string folder_;
  MlcOptions options_;
  Json records_ = Json::array(), pending_ = Json::array();
  std::string shard_;
  size_t n_shards_ = 0, n_tensors_ = 0;
};

/// MLC's name for a tensor that Hugging Face calls `name`, matrices already fused.
inline std::string mlc_name(std::string name, const std::string& model_type, bool phi3_names) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const size_t at = name.find(from); at != std::string::npos)
      name.replace(at, from.size(), to);
  };
  if (model_type.starts_with("qwen")) replace("self_attn.qkv_proj", "self_attn.c_attn");
  if (model_type.starts_with("gemma3")) name = "language_model." + name;
  if (!phi3_names) return name;
  replace("model.embed_tokens", "transformer.embd");
  replace("model.layers.", "transformer.h.");
  replace("model.norm", "transformer.norm");
  replace("self_attn.qkv_proj", "mixer.qkv_proj");
  replace("self_attn.o_proj", "mixer.out_proj");
  replace("input_layernorm", "ln");
  return name;
}

struct Values {
  std::string name;
  std::vector<uint32_t> shape;
  std::vector<float> values;
};

/// The tensors under Hugging Face's names, with q, k and v made one, and gate and up.
inline std::vector<Values> fused_tensors(const formats::Checkpoint& checkpoint, bool fuse_qkv) {
  std::vector<Values> all;
  const auto part_of = [&](const std::string& name, std::string_view first, std::string_view fused,
                           std::initializer_list<std::string_view> parts) {
    const size_t at = name.find(first);
    if (at == std::string::npos) return false;
    Values whole{.name = name};
    whole.name.replace(at, first.size(), fused);
    uint32_t rows = 0;
    for (const std::string_view part : parts) {
      std::string own = name;
      own.replace(at, first.size(), part);
      const formats::TensorInfo* tensor = must(checkpoint.get(own));
      const std::vector<float> values = must(formats::to_f32(*tensor));
      whole.values.insert(whole.values.end(), values.begin(), values.end());
      rows += tensor->shape.dim(0);
      whole.shape.assign(tensor->shape.dims().begin(), tensor->shape.dims().end());
    }
    whole.shape[0] = rows;
    all.push_back(std::move(whole));
    return true;
  };
  for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
    const std::string& name = tensor.name;
    if (fuse_qkv && part_of(name, ".q_proj.", ".qkv_proj.", {".q_proj.", ".k_proj.", ".v_proj."})) {
      continue;
    }
    if (part_of(name, ".gate_proj.", ".gate_up_proj.", {".gate_proj.", ".up_proj."})) continue;
    const bool spent = (fuse_qkv && (name.find(".k_proj.") != std::string::npos ||
                                     name.find(".v_proj.") != std::string::npos)) ||
                       name.find(".up_proj.") != std::string::npos;
    if (spent) continue;
    const auto dims = tensor.shape.dims();
    all.push_back({name, {dims.begin(), dims.end()}, must(formats::to_f32(tensor))});
  }
  return all;
}

/// Experts of a layer, which are neighbours in no order, become one tensor [n_experts, rows,
/// columns].
inline std::vector<Values> stacked_experts(std::vector<Values> tensors) {
  std::vector<Values> all;
  for (Values& tensor : tensors) {
    constexpr std::string_view kExperts = ".mlp.experts.";
    const size_t at = tensor.name.find(kExperts);
    if (at == std::string::npos) {
      all.push_back(std::move(tensor));
      continue;
    }
    const size_t dot = tensor.name.find('.', at + kExperts.size());
    const auto expert = static_cast<uint32_t>(
        std::stoul(tensor.name.substr(at + kExperts.size(), dot - at - kExperts.size())));
    const std::string name = tensor.name.substr(0, at) + ".mlp.moe_" + tensor.name.substr(dot + 1);
    auto whole =
        std::find_if(all.begin(), all.end(), [&](const Values& v) { return v.name == name; });
    if (whole == all.end()) {
      all.push_back({name, {0, tensor.shape[0], tensor.shape[1]}, {}});
      whole = all.end() - 1;
    }
    whole->shape[0] = std::max(whole->shape[0], expert + 1);
    whole->values.resize(size_t{whole->shape[0]} * tensor.values.size());
    std::copy(tensor.values.begin(), tensor.values.end(),
              whole->values.begin() + static_cast<ptrdiff_t>(expert * tensor.values.size()));
  }
  return all;
}

/// config.json as mlc-chat-config.json.
inline Json mlc_chat_config(const Json& hf, const std::string& quantization) {
  const std::string model_type = hf["model_type"];
  Json own;
  for (const char* key : {"hidden_size",
                          "intermediate_size",
                          "num_attention_heads",
                          "num_hidden_layers",
                          "num_key_value_heads",
                          "rms_norm_eps",
                          "vocab_size",
                          "tie_word_embeddings",
                          "head_dim",
                          "rope_scaling",
                          "hidden_act",
                          "attention_bias",
                          "hidden_activation",
                          "query_pre_attn_scalar",
                          "attn_logit_softcapping",
                          "final_logit_softcapping",
                          "num_experts",
                          "num_experts_per_tok",
                          "moe_intermediate_size",
                          "norm_topk_prob",
                          "decoder_sparse_step"}) {
    if (hf.contains(key)) own[key] = hf[key];
  }
  if (hf.contains("num_local_experts")) own["num_experts"] = hf["num_local_experts"];
  Json theta = hf.contains("rope_theta") ? hf["rope_theta"] : Json(10000);
  if (hf.contains("rope_parameters")) {
    const Json& rope = hf["rope_parameters"];
    theta =
        rope.contains("full_attention") ? rope["full_attention"]["rope_theta"] : rope["rope_theta"];
  }
  own[model_type.starts_with("qwen") ? "rope_theta" : "position_embedding_base"] = theta;
  own["context_window_size"] = hf["max_position_embeddings"];
  own["prefill_chunk_size"] = 128;
  own["tensor_parallel_shards"] = 1;
  if (model_type == "phi3") {
    own["model_type"] = "phi3";
    own["max_position_embeddings"] = hf["max_position_embeddings"];
    own["original_max_position_embeddings"] = hf["original_max_position_embeddings"];
  }
  if (model_type == "gemma2") own["sliding_window"] = hf["sliding_window"];
  if (model_type == "gemma3_text" || model_type == "mistral") {
    own["sliding_window_size"] = hf["sliding_window"];
  }
  if (model_type == "gemma3_text") {
    own["rope_scaling"] = 0;
    own["kwargs"] = {{"layer_types", hf["layer_types"]}};
    own = {{"text_config", own}, {"vocab_size", hf["vocab_size"]}, {"sliding_window_size", -1}};
  }
  return {{"version", "0.1.0"},
          {"model_type", model_type},
          {"quantization", quantization},
          {"model_config", own},
          {"vocab_size", hf["vocab_size"]},
          {"context_window_size", hf["max_position_embeddings"]},
          {"sliding_window_size", -1},
          {"attention_sink_size", -1},
          {"temperature", 0.7},
          {"top_p", 0.95},
          {"repetition_penalty", 1.0},
          {"bos_token_id", hf["bos_token_id"]},
          {"eos_token_id", hf["eos_token_id"]},
          {"tokenizer_files", {"tokenizer.json", "tokenizer_config.json"}}};
}

/// MLC copies the tokenizer's files; published ones hold the chat template, as the goldens' do not.
inline void copy_tokenizer(const std::string& from, const std::string& to) {
  const auto options = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(from + "/tokenizer.json", to + "/tokenizer.json", options);
  Json config = read_json(from + "/tokenizer_config.json");
  if (file_exists(from + "/chat_template.jinja")) {
    config["chat_template"] = must(read_text_file(from + "/chat_template.jinja"));
  }
  write_text(to + "/tokenizer_config.json", config.dump());
}

/// `from` holds config.json, model.safetensors and a tokenizer; `to` becomes an MLC folder.
inline void write_mlc(const std::string& from, const std::string& to, const MlcOptions& options) {
  const Json hf = read_json(from + "/config.json");
  const std::string model_type = hf["model_type"];
  const bool gemma = model_type.starts_with("gemma");
  const formats::Checkpoint checkpoint = must(formats::open_safetensors(from));
  MlcFolder folder(to, options);
  const bool f32 = options.quantization == "q4f32_1";
  const uint32_t bits = options.quantization == "q0f16" ? 0 : options.quantization[1] - '0';
  for (Values& tensor : stacked_experts(fused_tensors(checkpoint, model_type != "gemma3_text"))) {
    std::string name = mlc_name(tensor.name, model_type, options.phi3_names);
    if (gemma && tensor.shape.size() == 1) {
      for (float& value : tensor.values) value += 1;  // Gemma's norms, as MLC stores them
    }
    if (bits == 0 || tensor.shape.size() != 2) {
      folder.add_floats(name, tensor.shape, tensor.values, f32);
      continue;
    }
    const auto round_scale = !f32 ? through_f16 : options.f32_to_bf16 ? through_bf16 : through_f32;
    const MlcMatrix m =
        mlc_encode(tensor.values, tensor.shape[0], tensor.shape[1], bits, round_scale);
    name.erase(name.size() - std::string_view("weight").size());
    folder.add_words(name + "q_weight", {m.rows, 4 * m.n_groups()}, m.words);
    folder.add_floats(name + "q_scale", {m.rows, m.n_groups()}, m.scales, f32);
  }
  folder.finish();
  write_text(to + "/mlc-chat-config.json", mlc_chat_config(hf, options.quantization).dump(1));
  copy_tokenizer(from, to);
}

}  // namespace handloom::test
