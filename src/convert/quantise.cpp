#include "convert/quantise.h"

#include "base/file.h"
#include "convert/gguf_file.h"
#include "convert/int8_folder.h"
#include "convert/plan.h"
#include "convert/vocabulary.h"

#include <array>
#include <filesystem>
#include <map>

namespace handloom::convert {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kHeadRoom = uint64_t{16} << 20;  // metadata, tokenizer

Result<void> check_block(uint32_t block) {
  if (block == 32 || block == 64 || block == 128) return {};
  return fail(ErrorCode::invalid_argument, "quantize: a block is {} values, expected 32, 64 or 128",
              block);
}

/// What may stand at `out` already.
Result<void> check_out(const std::string& in, const std::string& out, bool overwrite,
                       bool is_folder) {
  std::error_code ignored;
  const fs::file_status status = fs::status(out, ignored);
  if (out.empty()) return fail(ErrorCode::invalid_argument, "quantize: OUT is '', expected a path");
  if (!fs::exists(status)) return {};
  if (fs::equivalent(in, out, ignored)) {
    return fail(ErrorCode::invalid_argument, "{}: is the model to be read, expected another path",
                out);
  }
  if (!fs::is_directory(status) && !fs::is_regular_file(status)) {
    return fail(ErrorCode::invalid_argument,
                "{}: is a device, a pipe or the like, expected a path for a file or folder", out);
  }
  if (fs::is_directory(status) != is_folder) {
    return fail(ErrorCode::invalid_argument, "{}: is {}, expected a path for {}", out,
                fs::is_directory(status) ? "a folder" : "a file",
                is_folder ? "a folder (of int8-block)" : "a file (of GGUF)");
  }
  if (is_folder && fs::is_empty(out, ignored)) return {};
  if (overwrite) return {};
  return fail(ErrorCode::invalid_argument,
              "{}: exists, expected a new path; overwrite with --force", out);
}

/// `bytes` more must fit where `out` will be.
Result<void> check_space(const std::string& out, uint64_t bytes) {
  std::error_code error;
  fs::path folder = fs::absolute(out, error).parent_path();
  if (!fs::path(out).has_filename()) folder = folder.parent_path();
  const fs::space_info space = fs::space(folder, error);
  if (error) {
    return fail(ErrorCode::not_found, "{}: '{}' is no folder to write to: {}", out, folder.string(),
                error.message());
  }
  if (space.available >= bytes) return {};
  return fail(ErrorCode::io,
              "{}: takes {} MB, the disk has {} MB left; make room or write elsewhere", out,
              bytes / 1000000, space.available / 1000000);
}

uint64_t all_bytes(const std::vector<OutTensor>& tensors) {
  uint64_t bytes = 0;
  for (const OutTensor& t : tensors) bytes += t.bytes() + t.scale_bytes();
  return bytes;
}

std::vector<TypeShare> shares_of(const std::vector<OutTensor>& tensors) {
  std::map<DType, TypeShare> shares;
  for (const OutTensor& t : tensors) {
    TypeShare& share = shares[t.dtype];
    share.dtype = to_string(t.dtype);
    ++share.n_tensors;
    share.n_weights += t.shape.count();
    share.bytes += t.bytes() + t.scale_bytes();
  }
  std::vector<TypeShare> list;
  for (auto& [dtype, share] : shares) list.push_back(std::move(share));
  return list;
}

/// Turns rows of one tensor into bytes of all.
class Progress {
 public:
  Progress(const QuantiseOptions& options, uint64_t total) : options_(options), total_(total) {}

  OnRows of(const OutTensor& tensor) {
    const uint64_t n_rows = std::max<uint64_t>(1, tensor.n_rows());
    const uint64_t row_bytes = (tensor.bytes() + tensor.scale_bytes()) / n_rows;
    return [this, row_bytes](uint64_t n) {
      done_ = std::min(total_, done_ + n * row_bytes);
      return !options_.on_progress || options_.on_progress({done_, total_, "quantize"});
    };
  }

 private:
  const QuantiseOptions& options_;
  uint64_t total_, done_ = 0;
};

}  // namespace

Result<QuantiseReport> quantise(const std::string& in, const std::string& out,
                                const QuantiseOptions& options) {
  TRY(const Recipe recipe, find_recipe(options.type));
  CHECK_OK(check_block(options.block));
  const bool is_folder = recipe == Recipe::int8_block;
  CHECK_OK(check_out(in, out, options.overwrite, is_folder));

  TRY(formats::ModelFiles files, formats::open_model(in));
  TRY(const ModelVocabulary vocabulary, vocabulary_of(files.tokenizer, files.config.vocab_size));
  const formats::WeightSource source(files.config, files.checkpoint, files.naming);
  const auto naming = is_folder ? formats::Naming::hugging_face : formats::Naming::gguf;
  TRY(const TensorPlan plan,
      plan_tensors(source, {.recipe = recipe, .block = options.block, .naming = naming}));
  const uint64_t bytes = all_bytes(plan.tensors);
  CHECK_OK(check_space(out, bytes + kHeadRoom));

  Progress progress(options, bytes);
  const auto encode_tensor = [&](size_t i) {
    return encode(plan.tensors[i], progress.of(plan.tensors[i]));
  };
  files.config = with_special_ids(files, vocabulary.vocabulary);
  CHECK_OK(is_folder
               ? write_int8_folder(out, files, vocabulary.vocabulary, plan.tensors, encode_tensor)
               : write_gguf_file(out, files, vocabulary.vocabulary, recipe, plan.tensors,
                                 encode_tensor));

  QuantiseReport report{.bytes = bytes, .types = shares_of(plan.tensors), .notes = plan.notes};
  if (files.config.eos_ids.size() > kMaxEndIds && !is_folder) {
    report.notes.push_back(fmt::format("the model has {} end tokens, a GGUF file names {}",
                                       files.config.eos_ids.size(), kMaxEndIds));
  }
  if (!is_folder) {
    report.notes.insert(report.notes.end(), vocabulary.losses.begin(), vocabulary.losses.end());
  }
  for (const OutTensor& t : plan.tensors) report.n_weights += t.shape.count();
  return report;
}

}  // namespace handloom::convert
