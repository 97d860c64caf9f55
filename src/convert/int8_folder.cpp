#include "convert/int8_folder.h"

#include "base/file.h"
#include "base/json.h"
#include "convert/config_json.h"
#include "formats/safetensors.h"

#include <array>
#include <filesystem>
#include <map>

namespace handloom::convert {
namespace {

namespace fs = std::filesystem;

using formats::ModelFiles;
using formats::Naming;

/// Whether a folder of any of the tokenizer's files is there to copy from.
bool is_folder(const ModelFiles& files) { return files.naming != Naming::gguf; }

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// As it was, less what said how the weights were quantised.
Result<std::string> hugging_face_config(const std::string& path) {
  TRY(const std::string text, read_text_file(path));
  TRY(Json json, parse_json(text, path));
  if (!json.contains("quantization") && !json.contains("quantization_config")) return text;
  json.erase("quantization");
  json.erase("quantization_config");
  return dump(json);
}

Result<std::string> config_text(const ModelFiles& files) {
  if (files.naming == Naming::hugging_face) return hugging_face_config(files.path + "/config.json");
  return config_to_json(files.config);
}

Result<std::string> tokenizer_text(const ModelFiles& files, const PlainVocabulary& vocabulary) {
  if (!files.tokenizer.json_path.empty()) return read_text_file(files.tokenizer.json_path);
  if (!vocabulary.tokenizer_json.empty()) return vocabulary.tokenizer_json;
  return fail(ErrorCode::unsupported,
              "{}: holds no tokenizer.json ('tokenizer.huggingface.json'), which a folder of "
              "int8-block needs; take the model's Hugging Face folder",
              files.path);
}

std::string tokenizer_config_text(const formats::TokenizerConfig& texts) {
  Json json = Json::object();
  const auto set = [&](const char* key, const std::optional<std::string>& token) {
    if (token) json[key] = *token;
  };
  set("bos_token", texts.bos_token);
  set("eos_token", texts.eos_token);
  set("unk_token", texts.unk_token);
  set("pad_token", texts.pad_token);
  return dump(json);
}

std::string generation_text(const ModelFiles& files) {
  Json json = Json::object();
  if (!files.config.eos_ids.empty()) json["eos_token_id"] = files.config.eos_ids;
  if (files.config.bos_id) json["bos_token_id"] = *files.config.bos_id;
  const formats::GenerationConfig& g = files.generation;
  if (g.do_sample) json["do_sample"] = *g.do_sample;
  if (g.temperature) json["temperature"] = *g.temperature;
  if (g.top_k) json["top_k"] = *g.top_k;
  if (g.top_p) json["top_p"] = *g.top_p;
  if (g.min_p) json["min_p"] = *g.min_p;
  if (g.repeat_penalty) json["repetition_penalty"] = *g.repeat_penalty;
  return dump(json);
}

/// All files but the weights, by name.
Result<std::map<std::string, std::string>> small_files(const ModelFiles& files,
                                                       const PlainVocabulary& vocabulary) {
  std::map<std::string, std::string> texts;
  TRY(texts["config.json"], config_text(files));
  TRY(texts["tokenizer.json"], tokenizer_text(files, vocabulary));
  texts["tokenizer_config.json"] = tokenizer_config_text(files.tokenizer.texts);
  texts["generation_config.json"] = generation_text(files);
  const std::string& chat_template = files.tokenizer.texts.chat_template;
  if (!chat_template.empty()) texts["chat_template.jinja"] = chat_template;
  if (!is_folder(files)) return texts;
  for (const char* name :
       {"tokenizer_config.json", "generation_config.json", "special_tokens_map.json"}) {
    const std::string path = files.path + "/" + name;
    if (!file_exists(path)) continue;
    TRY(texts[name], read_text_file(path));
  }
  return texts;
}

/// Two tensors of the file for each of int8_block: codes, then scales. f32 comes first and 16-bit
/// types come last, so that each begins at a multiple of its elements' size.
class Layout {
 public:
  explicit Layout(std::span<const OutTensor> tensors) {
    for (const DType dtype : {DType::f32, DType::int8_block, DType::bf16, DType::f16}) {
      for (size_t i = 0; i < tensors.size(); ++i) {
        if (tensors[i].dtype == dtype) add(tensors[i], i);
      }
    }
  }

  std::span<const formats::SafetensorsTensor> heads() const { return heads_; }

  Result<std::span<const std::byte>> bytes_of(size_t i, const EncodeTensor& encode_tensor) {
    const auto [tensor, is_scales] = sources_[i];
    if (is_scales) return encoded_.scales;
    encoded_ = {};  // before the next one takes memory
    TRY(encoded_, encode_tensor(tensor));
    return encoded_.bytes;
  }

 private:
  void add(const OutTensor& t, size_t i) {
    if (t.dtype != DType::int8_block) {
      heads_.push_back({t.name, t.dtype, t.shape});
      sources_.push_back({i, false});
      return;
    }
    std::vector<uint32_t> dims(t.shape.dims().begin(), t.shape.dims().end());
    heads_.push_back({t.name + "_q", DType::i8, t.shape});
    dims.back() /= t.group;
    heads_.push_back({t.name + "_scale", DType::f32, Shape(dims)});
    sources_.push_back({i, false});
    sources_.push_back({i, true});
  }

  struct From {
    size_t tensor = 0;
    bool is_scales = false;
  };

  std::vector<formats::SafetensorsTensor> heads_;
  std::vector<From> sources_;
  Encoded encoded_;  // the tensor whose codes were asked for last
};

Result<void> make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directory(folder, error);
  if (!error) return {};
  return fail(ErrorCode::io, "{}: cannot make the folder: {}", folder, error.message());
}

/// A folder that is removed on every way out but a rename.
struct Scratch {
  std::string path;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

/// Files of `from` get their names in `to`.
Result<void> move_files(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!file_exists(to)) {
    fs::rename(from, to, error);
    if (!error) return {};
  } else {
    for (const auto& entry : fs::directory_iterator(from, error)) {
      fs::rename(entry.path(), fs::path(to) / entry.path().filename(), error);
      if (error) break;
    }
    if (!error) return {};
  }
  return fail(ErrorCode::io, "{}: cannot write: {}", to, error.message());
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

Result<void> write_int8_folder(const std::string& path, const ModelFiles& files,
                               const PlainVocabulary& vocabulary,
                               std::span<const OutTensor> tensors,
                               const EncodeTensor& encode_tensor) {
  TRY(const auto texts, small_files(files, vocabulary));
  const std::string folder = without_slash(path);
  const Scratch scratch{folder + ".partial"};
  std::error_code ignored;
  fs::remove_all(scratch.path, ignored);
  CHECK_OK(make_folder(scratch.path));
  for (const auto& [name, text] : texts) {
    const std::array parts = {std::as_bytes(std::span(text))};
    CHECK_OK(write_file(scratch.path + "/" + name, parts));
  }
  Layout layout(tensors);
  CHECK_OK(formats::write_safetensors_stream(
      scratch.path + "/model.safetensors", layout.heads(), {{"format", "pt"}},
      [&](size_t i) { return layout.bytes_of(i, encode_tensor); }));
  return move_files(scratch.path, folder);
}

}  // namespace handloom::convert
