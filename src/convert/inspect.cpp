#include "convert/inspect.h"

#include "base/file.h"
#include "base/json.h"
#include "convert/flow.h"
#include "convert/plan.h"
#include "convert/vocabulary.h"
#include "formats/gguf.h"
#include "formats/gguf_config.h"
#include "formats/gguf_vocabulary.h"
#include "formats/grouped.h"
#include "formats/mlc.h"
#include "formats/names.h"
#include "formats/repack.h"
#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>

namespace handloom::convert {
namespace {

namespace fs = std::filesystem;

using formats::Config;
using formats::Naming;
using formats::TensorInfo;
using formats::WeightSource;

constexpr uint32_t kUsualContext = 8192;  // of a session, unless told otherwise

/// What could be read of a model's files.
struct Parts {
  std::string kind, architecture;
  Naming naming = Naming::hugging_face;
  std::optional<Config> config;
  std::optional<formats::Checkpoint> checkpoint;
  std::optional<formats::TokenizerFiles> tokenizer;
  std::vector<formats::UnreadTensor> unread;
  std::vector<std::string> problems;

  /// The value, or a problem more.
  template <class T>
  void take(Result<T> result, std::optional<T>& to) {
    if (result) {
      to = std::move(*result);
    } else {
      problems.push_back(result.error().message);
    }
  }
};

/// "model_type" of a config.json that handloom may refuse for what else it says.
std::string model_type(const std::string& path, bool is_mlc) {
  const auto text = read_text_file(path);
  if (!text) return "";
  const auto json = parse_json(*text, path);
  if (!json) return "";
  const auto object = JsonObject::from(*json, path);
  if (!object) return "";
  return object->find_string("model_type").value_or(std::nullopt).value_or(is_mlc ? "mlc" : "");
}

Result<formats::TokenizerFiles> gguf_tokenizer(const formats::Gguf& gguf) {
  formats::TokenizerFiles files;
  TRY(files.vocabulary, formats::vocabulary_from_gguf(gguf));
  files.texts.chat_template = files.vocabulary.chat_template;
  return files;
}

Result<Parts> read_gguf(const std::string& file) {
  Parts parts{.kind = std::string(kind_of(Naming::gguf)), .naming = Naming::gguf};
  TRY(formats::Gguf gguf, formats::Gguf::open(file, parts.unread));
  for (const formats::UnreadTensor& tensor : parts.unread) {
    parts.problems.push_back(
        fmt::format("{}: tensor '{}' has type {}, which handloom does not read", gguf.where(),
                    formats::printable(tensor.name), tensor.type));
  }
  const auto named = gguf.metadata().find_string("general.architecture");
  if (named) parts.architecture = formats::printable(named->value_or(""));
  parts.take(config_from_gguf(gguf), parts.config);
  parts.take(gguf_tokenizer(gguf), parts.tokenizer);
  parts.checkpoint = std::move(gguf).take_checkpoint();
  return parts;
}

Parts read_mlc(const std::string& folder) {
  Parts parts{.kind = std::string(kind_of(Naming::mlc)), .naming = Naming::mlc};
  parts.architecture = model_type(folder + "/mlc-chat-config.json", true);
  std::optional<formats::MlcConfig> mlc;
  parts.take(formats::load_mlc_config(folder), mlc);
  if (mlc) parts.config = mlc->config;
  parts.take(formats::open_mlc(folder), parts.checkpoint);
  parts.take(formats::open_tokenizer(folder), parts.tokenizer);
  return parts;
}

Parts read_hugging_face(const std::string& folder) {
  Parts parts{.kind = std::string(kind_of(Naming::hugging_face))};
  parts.architecture = model_type(folder + "/config.json", false);
  parts.take(formats::load_config(folder), parts.config);
  parts.take(formats::open_grouped(folder), parts.checkpoint);
  parts.take(formats::open_tokenizer(folder), parts.tokenizer);
  return parts;
}

/// A safetensors file alone, or with its folder's config.json.
Result<Parts> read_safetensors(const std::string& file) {
  Parts parts{.kind = "safetensors file"};
  TRY(parts.checkpoint, formats::open_grouped(file));
  const fs::path folder = fs::path(file).parent_path();
  const std::string config = (folder / "config.json").string();
  if (!file_exists(config)) return parts;
  parts.architecture = model_type(config, false);
  parts.take(formats::load_config(folder.empty() ? "." : folder.string()), parts.config);
  return parts;
}

Result<Parts> read_parts(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return fail(ErrorCode::not_found,
                "{}: is not there, expected a model folder, a .gguf or a .safetensors file",
                formats::printable(path));
  }
  if (path.ends_with(".safetensors") && !fs::is_directory(path, ignored)) {
    return read_safetensors(path);
  }
  TRY(const std::string gguf, formats::find_gguf(path));
  if (!gguf.empty()) return read_gguf(gguf);
  if (formats::is_mlc_folder(path)) return read_mlc(path);
  return read_hugging_face(path);
}

// ---------------------------------------------------------------------------------------------

void add_tensors(const Parts& parts, Inspection& out) {
  std::map<std::string, TypeShare> shares;
  const auto count = [&](const std::string& type, uint64_t n_weights, uint64_t bytes) {
    TypeShare& share = shares[type];
    share.dtype = type;
    ++share.n_tensors;
    share.n_weights += n_weights;
    share.bytes += bytes;
    out.weight_bytes += bytes;
    out.n_parameters += n_weights;
  };
  if (parts.checkpoint) {
    for (const TensorInfo& t : parts.checkpoint->tensors()) {
      const auto dims = t.shape.dims();
      out.tensors.push_back({formats::printable(t.name),
                             std::string(to_string(t.dtype)),
                             {dims.begin(), dims.end()},
                             t.file_bytes()});
      count(out.tensors.back().dtype, t.bytes.empty() ? 0 : t.shape.count(), t.file_bytes());
    }
  }
  for (const formats::UnreadTensor& t : parts.unread) {
    out.tensors.push_back({formats::printable(t.name), t.type, t.dims, 0});
    count(t.type, 0, 0);
  }
  for (auto& [type, share] : shares) out.types.push_back(std::move(share));
  std::ranges::stable_sort(out.types, std::ranges::greater(), &TypeShare::bytes);
}

void add_settings(const Config& c, Inspection& out) {
  const auto add = [&](const char* name, const auto& value) {
    out.settings.emplace_back(name, fmt::format("{}", value));
  };
  add("layers", c.n_layers);
  add("model_dim", c.model_dim);
  add("ffn_dim", c.ffn_dim);
  add("heads", c.n_heads);
  add("kv_heads", c.n_kv_heads);
  add("head_dim", c.head_dim);
  add("vocab_size", c.vocab_size);
  add("max_seq_len", c.max_seq_len);
  add("tied_embeddings", c.tied_embeddings);
  if (c.n_experts == 0) return;
  add("experts", c.n_experts);
  add("experts_used", c.n_experts_used);
  add("expert_ffn_dim", c.expert_ffn_dim);
}

std::string tokenizer_text(const PlainVocabulary& v) {
  if (v.model == "llama") return "SentencePiece-like BPE with byte fallback (llama)";
  if (v.model == "gpt2") {
    return fmt::format("byte-level BPE (gpt2), pre-tokenizer {}",
                       v.pre.empty() ? "default" : v.pre);
  }
  return formats::printable(v.model);
}

void add_specials(const PlainVocabulary& v, const std::optional<Config>& config, Inspection& out) {
  const auto add = [&](const char* role, std::optional<uint32_t> id) {
    if (!id || *id >= v.pieces.size()) return;
    out.specials.push_back({role, *id, v.pieces[*id]});
  };
  add("bos", config && config->bos_id ? config->bos_id : v.bos_id);
  if (config && !config->eos_ids.empty()) {
    for (const uint32_t id : config->eos_ids) add("eos", id);
  } else {
    add("eos", v.eos_id);
    add("eot", v.eot_id);
  }
  add("unk", v.unk_id);
  add("pad", v.pad_id);
}

void add_tokenizer(Parts& parts, Inspection& out) {
  if (!parts.tokenizer) return;
  out.chat_template = parts.tokenizer->texts.chat_template;
  const auto vocab_size = parts.config ? std::optional(parts.config->vocab_size) : std::nullopt;
  std::optional<ModelVocabulary> made;
  parts.take(vocabulary_of(*parts.tokenizer, vocab_size), made);
  if (!made) return;
  const PlainVocabulary& v = made->vocabulary;
  out.tokenizer = tokenizer_text(v);
  out.n_pieces = static_cast<uint32_t>(v.pieces.size());
  add_specials(v, parts.config, out);
  if (!parts.tokenizer->json_path.empty()) return;
  std::optional<tokenizer::Tokenizer> usable;
  parts.take(tokenizer::Tokenizer::from_vocabulary(v, out.path), usable);
}

/// Whether the weights are those of the config, and of types that the kernels take.
void check_weights(const WeightSource& source, Parts& parts) {
  std::optional<TensorPlan> plan;
  parts.take(plan_tensors(source, {}), plan);
  if (!plan) return;
  for (const OutTensor& t : plan->tensors) {
    for (const formats::RowRange& range : t.rows) {
      const auto good = formats::check_repackable(*range.tensor, source.checkpoint().where());
      if (!good) parts.problems.push_back(good.error().message);
    }
  }
}

void add_memory(const Config& c, uint32_t wanted, Inspection& out) {
  out.context = wanted > 0 ? wanted : std::min(c.max_seq_len, kUsualContext);
  out.kv_f32_bytes = out.context * c.kv_bytes_per_token(DType::f32);
  out.kv_f16_bytes = out.context * c.kv_bytes_per_token(DType::f16);
  // A byte a value, and an f16 scale for each head's key and value.
  out.kv_int8_bytes = uint64_t{2} * out.context * c.n_layers * c.n_kv_heads * (c.head_dim + 2);
}

/// No sentence twice: experts share a type.
void remove_doubles(std::vector<std::string>& sentences) {
  std::vector<std::string> kept;
  for (std::string& one : sentences) {
    if (std::ranges::find(kept, one) == kept.end()) kept.push_back(std::move(one));
  }
  sentences = std::move(kept);
}

}  // namespace

Result<Inspection> inspect(const std::string& path, uint32_t context) {
  TRY(Parts parts, read_parts(path));
  Inspection out{.path = path, .kind = parts.kind};
  out.architecture = parts.config ? parts.config->architecture : parts.architecture;
  add_tensors(parts, out);
  add_tokenizer(parts, out);
  if (parts.config) {
    add_settings(*parts.config, out);
    add_memory(*parts.config, context, out);
  }
  if (parts.config && parts.checkpoint) {
    const WeightSource source(*parts.config, *parts.checkpoint, parts.naming);
    out.flow = flow_of(source);
    check_weights(source, parts);
  }
  remove_doubles(parts.problems);
  out.problems = std::move(parts.problems);
  return out;
}

}  // namespace handloom::convert
