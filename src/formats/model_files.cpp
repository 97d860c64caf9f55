#include "formats/model_files.h"

#include "base/file.h"
#include "formats/gguf.h"
#include "formats/gguf_config.h"
#include "formats/gguf_vocabulary.h"
#include "formats/grouped.h"
#include "formats/mlc.h"
#include "formats/mlc_config.h"
#include "formats/names.h"

#include <algorithm>

namespace handloom::formats {
namespace {

constexpr std::string_view kMlcConfig = "mlc-chat-config.json";

/// The only .gguf file of a folder, or the first part of the only model in parts; "" if there is
/// none. Error: invalid_argument if there are several.
Result<std::string> gguf_in(const std::string& folder) {
  std::vector<std::string> found;
  for (const std::string& path : list_folder(folder)) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!name.ends_with(".gguf")) continue;
    // Parts but the first come with it.
    const size_t part = name.rfind("-of-");
    const bool is_part = part != std::string::npos && part >= 6 && name[part - 6] == '-';
    if (is_part && name.substr(part - 5, 5) != "00001") continue;
    found.push_back(path);
  }
  if (found.empty()) return "";
  if (found.size() == 1) return found.front();
  return fail(ErrorCode::invalid_argument, "{}: holds {} models ('{}', '{}', ...), name one",
              folder, found.size(), printable(found[0]), printable(found[1]));
}

TokenizerConfig texts_of(const PlainVocabulary& v) {
  const auto piece = [&](std::optional<uint32_t> id) -> std::optional<std::string> {
    if (!id || *id >= v.pieces.size()) return std::nullopt;
    return v.pieces[*id];
  };
  return {.chat_template = v.chat_template,
          .bos_token = piece(v.bos_id),
          .eos_token = piece(v.eos_id),
          .unk_token = piece(v.unk_id),
          .pad_token = piece(v.pad_id)};
}

Result<TokenizerFiles> gguf_tokenizer(const Gguf& gguf) {
  TokenizerFiles files;
  TRY(files.vocabulary, vocabulary_from_gguf(gguf));
  files.texts = texts_of(files.vocabulary);
  files.where = gguf.where();
  return files;
}

/// `mlc`: nullptr for a folder of Hugging Face's.
Result<TokenizerFiles> folder_tokenizer(const std::string& folder, const MlcConfig* mlc) {
  TokenizerFiles files{.json_path = folder + "/tokenizer.json"};
  TRY(files.texts, load_tokenizer_config(folder));
  if (files.texts.chat_template.empty() && mlc != nullptr && mlc->conversation) {
    files.texts.chat_template = to_jinja(*mlc->conversation);
  }
  return files;
}

Result<ModelFiles> open_gguf(const std::string& path, const std::string& file) {
  TRY(Gguf gguf, Gguf::open(file));
  TRY(Config config, config_from_gguf(gguf));
  TRY(TokenizerFiles tokenizer, gguf_tokenizer(gguf));
  TRY(const auto& name, gguf.metadata().find_string("general.name"));
  return ModelFiles{.naming = Naming::gguf,
                    .path = path,
                    .name = name.value_or(""),
                    .config = std::move(config),
                    .generation = {},
                    .checkpoint = std::move(gguf).take_checkpoint(),
                    .tokenizer = std::move(tokenizer)};
}

Result<ModelFiles> open_mlc_folder(const std::string& folder) {
  TRY(MlcConfig mlc, load_mlc_config(folder));
  TRY(TokenizerFiles tokenizer, folder_tokenizer(folder, &mlc));
  TRY(Checkpoint checkpoint, open_mlc(folder));
  return ModelFiles{.naming = Naming::mlc,
                    .path = folder,
                    .name = "",
                    .config = std::move(mlc.config),
                    .generation = std::move(mlc.generation),
                    .checkpoint = std::move(checkpoint),
                    .tokenizer = std::move(tokenizer)};
}

Result<ModelFiles> open_hugging_face(const std::string& folder) {
  TRY(Config config, load_config(folder));
  TRY(GenerationConfig generation, load_generation_config(folder));
  TRY(TokenizerFiles tokenizer, folder_tokenizer(folder, nullptr));
  TRY(Checkpoint checkpoint, open_grouped(folder));
  return ModelFiles{.naming = Naming::hugging_face,
                    .path = folder,
                    .name = "",
                    .config = std::move(config),
                    .generation = std::move(generation),
                    .checkpoint = std::move(checkpoint),
                    .tokenizer = std::move(tokenizer)};
}

}  // namespace

Result<std::string> find_gguf(const std::string& path) {
  if (!is_folder(path)) return path;  // the reader says what else it is
  if (file_exists(path + "/config.json")) return "";
  if (file_exists(fmt::format("{}/{}", path, kMlcConfig))) return "";
  return gguf_in(path);
}

bool is_mlc_folder(const std::string& path) {
  return !file_exists(path + "/config.json") && file_exists(fmt::format("{}/{}", path, kMlcConfig));
}

Result<ModelFiles> open_model(const std::string& path) {
  TRY(const std::string& gguf, find_gguf(path));
  if (!gguf.empty()) return open_gguf(path, gguf);
  if (is_mlc_folder(path)) return open_mlc_folder(path);
  return open_hugging_face(path);
}

Result<TokenizerFiles> open_tokenizer(const std::string& path) {
  TRY(const std::string& file, find_gguf(path));
  if (!file.empty()) {
    TRY(const Gguf gguf, Gguf::open(file));
    return gguf_tokenizer(gguf);
  }
  if (!is_mlc_folder(path)) return folder_tokenizer(path, nullptr);
  TRY(const MlcConfig mlc, load_mlc_config(path));
  return folder_tokenizer(path, &mlc);
}

std::string_view kind_of(Naming naming) {
  switch (naming) {
    case Naming::hugging_face: return "Hugging Face folder";
    case Naming::gguf: return "GGUF file";
    case Naming::mlc: return "MLC folder";
  }
  return "";
}

}  // namespace handloom::formats
