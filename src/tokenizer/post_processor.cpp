#include "tokenizer/post_processor.h"

#include "tokenizer/section.h"

namespace handloom::tokenizer {
namespace {

constexpr size_t kMaxSpecials = 1024;

/// The "ids" of entry `name` of a template's "special_tokens".
Result<std::vector<uint32_t>> special_ids(const JsonObject& fields, const std::string& name) {
  TRY(const JsonObject& specials, fields.get_object("special_tokens"));
  TRY(const JsonObject& special, specials.get_object(name));
  const Json* ids = special.find("ids");
  std::vector<uint32_t> out;
  if (ids != nullptr && ids->is_array() && ids->size() <= kMaxSpecials) {
    for (const Json& id : *ids) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= kIdLimit) break;
      out.push_back(id.get<uint32_t>());
    }
    if (out.size() == ids->size()) return out;
  }
  return fail(ErrorCode::bad_format, "{}: 'ids' is {}, expected an array of ids below {}",
              special.where(), ids ? describe(*ids) : "missing", kIdLimit);
}

/// ["</s>", 2] of BertProcessing and RobertaProcessing.
Result<uint32_t> named_id(const JsonObject& fields, std::string_view key) {
  const Json* pair = fields.find(key);
  if (pair != nullptr && pair->is_array() && pair->size() == 2 && (*pair)[1].is_number_unsigned() &&
      (*pair)[1].get<uint64_t>() < kIdLimit) {
    return (*pair)[1].get<uint32_t>();
  }
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected a piece and its id", fields.where(),
              key, pair ? describe(*pair) : "missing");
}

}  // namespace

Result<PostProcessor> PostProcessor::read(const JsonObject& root,
                                          const std::function<bool(uint32_t)>& is_known) {
  TRY(const std::vector<Step>& steps, read_steps(root, "post_processor", "processors"));
  PostProcessor processor;
  for (const Step& step : steps) CHECK_OK(processor.read_step(step));
  for (const auto* ids : {&processor.before_, &processor.after_}) {
    for (const uint32_t id : *ids) {
      if (is_known(id)) continue;
      return fail(ErrorCode::bad_format, "{}: post_processor: id {} is not in the vocabulary",
                  root.where(), id);
    }
  }
  return processor;
}

/// Each step encloses what the steps before it made.
Result<void> PostProcessor::read_step(const Step& step) {
  if (step.type == "ByteLevel") return {};  // trims offsets, which we do not report
  if (step.type == "TemplateProcessing") return read_template(step.fields);
  if (step.type == "BertProcessing" || step.type == "RobertaProcessing") {
    TRY(const uint32_t cls, named_id(step.fields, "cls"));
    TRY(const uint32_t sep, named_id(step.fields, "sep"));
    before_.insert(before_.begin(), cls);
    after_.push_back(sep);
    return {};
  }
  return unsupported_type(
      step, "TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing, Sequence");
}

Result<void> PostProcessor::read_template(const JsonObject& fields) {
  const Json* single = fields.find("single");
  if (single == nullptr || !single->is_array()) {
    return fail(ErrorCode::bad_format, "{}: 'single' is {}, expected an array", fields.where(),
                single ? describe(*single) : "missing");
  }
  std::vector<uint32_t> before;
  int n_texts = 0;
  for (size_t i = 0; i < single->size(); ++i) {
    const std::string where = fmt::format("{}: single[{}]", fields.where(), i);
    TRY(const JsonObject& item, JsonObject::from((*single)[i], where));
    if (item.has("Sequence")) {
      ++n_texts;
      continue;
    }
    TRY(const JsonObject& special, item.get_object("SpecialToken"));
    TRY(const std::string& name, special.get_string("id"));
    TRY(const std::vector<uint32_t>& ids, special_ids(fields, name));
    std::vector<uint32_t>& side = n_texts == 0 ? before : after_;
    side.insert(side.end(), ids.begin(), ids.end());
    if (before.size() + after_.size() > kMaxSpecials) {
      return fail(ErrorCode::bad_format, "{}: has more than {} special tokens", where,
                  kMaxSpecials);
    }
  }
  if (n_texts != 1) {
    return fail(ErrorCode::bad_format, "{}: 'single' places the text {} times, expected once",
                fields.where(), n_texts);
  }
  before_.insert(before_.begin(), before.begin(), before.end());
  return {};
}

std::vector<uint32_t> PostProcessor::apply(std::vector<uint32_t> ids) const {
  ids.insert(ids.begin(), before_.begin(), before_.end());
  ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

}  // namespace handloom::tokenizer
