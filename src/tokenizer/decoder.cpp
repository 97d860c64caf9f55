#include "tokenizer/decoder.h"

#include "tokenizer/section.h"

namespace handloom::tokenizer {
namespace {

// In chunks a literal is looked for with a naive search at each chunk's end; longer ones wait.
constexpr size_t kMaxChunkedLiteral = 64;

/// Adds a Hold if the piece comes in chunks: the step after it sees one whole piece.
void need_whole_pieces(std::vector<decode::Operation>& steps, bool& in_chunks) {
  if (in_chunks) steps.push_back(decode::Hold{});
  in_chunks = false;
}

Result<decode::Operation> read_replace(const JsonObject& fields, bool in_chunks) {
  TRY(Pattern pattern, Pattern::read(fields));
  TRY(std::string content, fields.get_string("content"));
  if (in_chunks) return decode::ReplaceInChunks{*pattern.literal(), std::move(content)};
  return decode::Replace{std::move(pattern), std::move(content)};
}

Result<decode::Operation> read_strip(const JsonObject& fields, bool in_chunks) {
  TRY(std::string content, get_character(fields, "content"));
  TRY(const uint32_t start, fields.get_u32("start"));
  TRY(const uint32_t stop, fields.get_u32("stop"));
  if (in_chunks) return decode::StripInChunks{std::move(content), start, stop};
  return decode::Strip{std::move(content), start, stop};
}

Result<decode::Operation> read_metaspace_decoder(const JsonObject& fields) {
  TRY(std::string replacement, get_character(fields, "replacement"));
  TRY(const PrependScheme scheme, read_prepend_scheme(fields));
  return decode::Metaspace{std::move(replacement), scheme != PrependScheme::never};
}

Result<decode::Operation> read_bpe_suffix(const JsonObject& fields) {
  TRY(const auto& suffix, fields.find_string("suffix"));
  if (suffix == "") {
    return fail(ErrorCode::bad_format, "{}: 'suffix' is empty, expected some text", fields.where());
  }
  return decode::BpeSuffix{Pattern::from_literal(suffix.value_or("</w>"))};
}

Result<decode::Operation> read_word_piece(const JsonObject& fields) {
  TRY(const auto& prefix, fields.find_string("prefix"));
  TRY(const auto cleanup, fields.find_bool("cleanup"));
  return decode::WordPiece{prefix.value_or("##"), cleanup.value_or(true)};
}

/// Whether a Replace can work on chunks.
bool replaces_in_chunks(const JsonObject& fields) {
  const Json* pattern = fields.find("pattern");
  if (pattern == nullptr || !pattern->is_object()) return false;
  const auto text = pattern->find("String");
  if (text == pattern->end() || !text->is_string()) return false;
  const size_t n_bytes = text->get_ref<const std::string&>().size();
  return n_bytes > 0 && n_bytes <= kMaxChunkedLiteral;
}

}  // namespace

Result<Decoder> Decoder::read(const JsonObject& root) {
  TRY(const std::vector<Step>& steps, read_steps(root, "decoder", "decoders"));
  Decoder decoder;
  if (steps.empty() && !root.has("decoder")) decoder.steps_.push_back(decode::Join{});
  bool in_chunks = false;
  for (const Step& step : steps) CHECK_OK(decoder.append_step(step, in_chunks));
  return decoder;
}

Result<void> Decoder::append_step(const Step& step, bool& in_chunks) {
  const JsonObject& fields = step.fields;
  const auto append = [&](Result<decode::Operation> operation) -> Result<void> {
    TRY(decode::Operation made, std::move(operation));
    steps_.push_back(std::move(made));
    return {};
  };
  if (step.type == "Fuse") {
    in_chunks = true;
    return append(decode::Fuse{});
  }
  if (step.type == "Strip") return append(read_strip(fields, in_chunks));
  if (step.type == "Replace") {
    if (!replaces_in_chunks(fields)) need_whole_pieces(steps_, in_chunks);
    return append(read_replace(fields, in_chunks));
  }
  need_whole_pieces(steps_, in_chunks);
  if (step.type == "ByteLevel") {
    in_chunks = true;
    return append(decode::ByteLevel{});
  }
  if (step.type == "ByteFallback") return append(decode::ByteFallback{});
  if (step.type == "Metaspace") return append(read_metaspace_decoder(fields));
  if (step.type == "BPEDecoder") return append(read_bpe_suffix(fields));
  if (step.type == "WordPiece") return append(read_word_piece(fields));
  return unsupported_type(step,
                          "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, BPEDecoder, "
                          "WordPiece, Sequence");
}

Result<void> Decoder::push(std::string_view piece, std::string& out) {
  n_bytes_ += piece.size();
  return push_to(0, piece, out);
}

Result<void> Decoder::push_to(size_t step, std::string_view piece, std::string& out) {
  if (step == steps_.size()) {
    out += piece;
    return {};
  }
  const Emit emit(*this, step + 1, out);
  return std::visit([&](auto& operation) { return operation.push(piece, emit); }, steps_[step]);
}

Result<void> Decoder::finish(std::string& out) {
  for (size_t step = 0; step < steps_.size(); ++step) {
    const Emit emit(*this, step + 1, out);
    CHECK_OK(std::visit([&](auto& operation) { return operation.finish(emit); }, steps_[step]));
  }
  n_bytes_ = 0;
  return {};
}

Result<void> Emit::operator()(std::string_view piece) const {
  return decoder_.push_to(next_, piece, out_);
}

size_t Emit::limit() const { return growth_limit(decoder_.n_bytes_); }

}  // namespace handloom::tokenizer
