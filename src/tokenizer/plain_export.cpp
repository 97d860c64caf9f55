#include "tokenizer/plain_export.h"

#include "base/json.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/named_pre.h"
#include "tokenizer/plain_model.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/section.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace handloom::tokenizer {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";

class Exporter {
 public:
  Exporter(const JsonObject& root, const Tokenizer& tokenizer, const PlainExportOptions& options)
      : root_(root), tokenizer_(tokenizer), options_(options) {}

  Result<PlainExport> run() {
    TRY(const JsonObject model, root_.get_object("model"));
    TRY(const auto byte_fallback, model.find_bool("byte_fallback"));
    CHECK_OK(check_affixes(model));
    is_llama_ = byte_fallback.value_or(false);
    out().model = is_llama_ ? "llama" : "gpt2";
    CHECK_OK(list_pieces());
    CHECK_OK(mark_unknown(model));
    CHECK_OK(mark_added());
    CHECK_OK(read_merges());
    if (is_llama_) {
      score_pieces();
      CHECK_OK(find_prefix());
    } else {
      CHECK_OK(find_pre(model));
    }
    CHECK_OK(name_specials());
    CHECK_OK(read_post_processor());
    return std::move(export_);
  }

 private:
  PlainVocabulary& out() { return export_.vocabulary; }

  template <class... Args>
  void lose(fmt::format_string<Args...> text, Args&&... args) {
    export_.losses.push_back(
        fmt::format("{}: {}", root_.where(), fmt::format(text, std::forward<Args>(args)...)));
  }

  Result<void> check_affixes(const JsonObject& model) const {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      TRY(const auto affix, model.find_string(key));
      if (affix.value_or("").empty()) continue;
      return fail(ErrorCode::unsupported,
                  "{}: '{}' is '{}', expected none; a GGUF vocabulary cannot say it", model.where(),
                  key, *affix);
    }
    return {};
  }

  Result<void> list_pieces() {
    const uint32_t n = std::max(tokenizer_.vocab_size(), options_.vocab_size);
    if (n > kIdLimit) {
      return fail(ErrorCode::invalid_argument, "{}: vocab_size is {}, expected at most {}",
                  root_.where(), n, kIdLimit);
    }
    out().pieces.resize(n);
    out().kinds.assign(n, PieceKind::normal);
    for (uint32_t id = 0; id < n; ++id) {
      std::string& piece = out().pieces[id];
      if (!tokenizer_.has_id(id)) {
        out().kinds[id] = PieceKind::unused;
        piece = hole_piece(id);
        continue;
      }
      piece = tokenizer_.piece(id);
      if (is_llama_ && is_byte_piece(piece)) out().kinds[id] = PieceKind::byte;
    }
    return {};
  }

  Result<void> mark_unknown(const JsonObject& model) {
    TRY(const auto unk, model.find_string("unk_token"));
    if (!unk) return {};
    out().unk_id = tokenizer_.id_of(*unk);
    if (out().unk_id && is_llama_) out().kinds[*out().unk_id] = PieceKind::unknown;
    return {};
  }

  Result<void> mark_added() {
    const Json* list = root_.find("added_tokens");
    if (list == nullptr) return {};
    size_t n_unlike = 0;  // tokens with a flag that no list says
    std::string example;
    for (const Json& token : *list) {
      TRY(const JsonObject fields, JsonObject::from(token, root_.where()));
      TRY(const uint32_t id, fields.get_u32("id"));
      TRY(const auto special, fields.find_bool("special"));
      if (out().kinds[id] == PieceKind::unknown) continue;
      out().kinds[id] = special.value_or(false) ? PieceKind::control : PieceKind::user_defined;
    }
    const bool phi3 = is_llama_ && is_phi3(out());
    for (const Json& token : *list) {
      TRY(const JsonObject fields, JsonObject::from(token, root_.where()));
      TRY(const bool plain, is_plain(fields, phi3));
      if (plain) continue;
      if (n_unlike++ == 0) {
        TRY(example, fields.get_string("content"));
      }
    }
    if (n_unlike > 0) {
      lose(
          "{} added tokens, such as '{}', treat the text around them in a way (lstrip, rstrip, "
          "single_word, normalized) that a GGUF vocabulary cannot say",
          n_unlike, example);
    }
    if (is_llama_) unmark_spaces();
    return {};
  }

  /// Whether the lists say all about an added token.
  static Result<bool> is_plain(const JsonObject& fields, bool phi3) {
    TRY(const auto special, fields.find_bool("special"));
    TRY(const auto normalized, fields.find_bool("normalized"));
    TRY(const auto lstrip, fields.find_bool("lstrip"));
    TRY(const auto rstrip, fields.find_bool("rstrip"));
    TRY(const auto single_word, fields.find_bool("single_word"));
    TRY(const std::string content, fields.get_string("content"));
    const bool swallows = phi3 && special.value_or(false) && phi3_swallows_spaces(content);
    return !lstrip.value_or(false) && !single_word.value_or(false) &&
           rstrip.value_or(false) == swallows && !normalized.value_or(!special.value_or(false));
  }

  /// Readers look for user-defined pieces in the text as it is given.
  void unmark_spaces() {
    for (size_t id = 0; id < out().pieces.size(); ++id) {
      if (out().kinds[id] != PieceKind::user_defined) continue;
      std::string& piece = out().pieces[id];
      for (size_t at = piece.find(kSpaceMark); at != piece.npos; at = piece.find(kSpaceMark, at)) {
        piece.replace(at, kSpaceMark.size(), " ");
      }
    }
  }

  /// Fills out().merges, for "llama" first_made_ only.
  Result<void> read_merges() {
    if (is_llama_) first_made_.assign(out().pieces.size(), kNever);
    for (const Json& merge : *root_.find("model")->find("merges")) {
      TRY(const auto pair, merge_text(merge));
      if (!pair) continue;
      const auto& [left, right] = *pair;
      if (!is_llama_) {
        out().merges.push_back(left + " " + right);
        ++n_merges_;
        continue;
      }
      uint32_t& first = first_made_[*tokenizer_.id_of(left + right)];
      first = std::min(first, n_merges_++);
    }
    return {};
  }

  /// nullopt for the line of a merges.txt that is no merge.
  Result<std::optional<std::pair<std::string, std::string>>> merge_text(const Json& merge) const {
    using Text = std::pair<std::string, std::string>;
    if (merge.is_string()) {
      const std::string text = merge.get<std::string>();
      if (text.starts_with("#version")) return std::nullopt;
      const size_t space = text.find(' ');
      return Text{text.substr(0, space), text.substr(space + 1)};
    }
    Text text{merge[0].get<std::string>(), merge[1].get<std::string>()};
    if (is_llama_ ||
        (text.first.find(' ') == std::string::npos && text.second.find(' ') == std::string::npos)) {
      return text;
    }
    return fail(ErrorCode::unsupported,
                "{}: the merge of '{}' and '{}' has a space in it, expected none; a GGUF "
                "vocabulary writes one between the two",
                root_.where(), text.first, text.second);
  }

  void score_pieces() {
    out().scores.assign(out().pieces.size(), 0.0f);
    size_t n_unmade = 0;
    for (size_t id = 0; id < out().pieces.size(); ++id) {
      if (out().kinds[id] != PieceKind::normal) continue;
      const bool made = first_made_[id] != kNever;
      // What no merge makes comes last.
      out().scores[id] = -static_cast<float>(made ? first_made_[id] : n_merges_);
      if (!made && count_characters(out().pieces[id]) > 1) ++n_unmade;
    }
    if (n_unmade > 0) {
      lose("{} pieces are made by no merge, but readers that merge by scores may make them",
           n_unmade);
    }
  }

  Result<void> find_prefix() {
    TRY(const std::vector<Step> normalizers, read_steps(root_, "normalizer", "normalizers"));
    TRY(const std::vector<Step> splits, read_steps(root_, "pre_tokenizer", "pretokenizers"));
    out().add_space_prefix = false;
    bool marks_spaces = false;
    for (const Step& step : normalizers) {
      if (step.type == "Prepend") {
        out().add_space_prefix = true;
      } else if (step.type == "Replace") {
        marks_spaces = true;
      } else {
        lose("the normalizer's step {} is more than a GGUF vocabulary can say", step.type);
      }
    }
    for (const Step& step : splits) {
      if (step.type != "Metaspace") continue;
      TRY(const PrependScheme scheme, read_prepend_scheme(step.fields));
      marks_spaces = true;
      out().add_space_prefix = scheme != PrependScheme::never;
      if (scheme == PrependScheme::first) {
        lose(
            "a space goes before the first word only, but readers put one after each special "
            "token as well");
      }
    }
    if (!marks_spaces) lose("spaces are not spelt as '{}', but readers will", kSpaceMark);
    return {};
  }

  Result<void> find_pre(const JsonObject& model) {
    TRY(const std::vector<Step> normalizers, read_steps(root_, "normalizer", "normalizers"));
    TRY(const std::vector<Step> splits, read_steps(root_, "pre_tokenizer", "pretokenizers"));
    TRY(const auto ignore_merges, model.find_bool("ignore_merges"));
    if (std::ranges::find(splits, "ByteLevel", &Step::type) == splits.end()) {
      return fail(ErrorCode::unsupported,
                  "{}: the tokenizer has neither a ByteLevel pre-tokenizer nor byte fallback, "
                  "expected one of them; a GGUF vocabulary cannot say another",
                  root_.where());
    }
    TRY(const auto patterns, isolated_patterns(root_));
    const bool nfc = normalizers.size() == 1 && normalizers[0].type == "NFC";
    const NamedPre* pre =
        patterns ? find_named_pre(*patterns, nfc, ignore_merges.value_or(false)) : nullptr;
    out().pre = pre ? pre->name : "default";
    if (pre == nullptr) {
      lose(
          "the pre-tokenizer is none of those with a name ({}), but readers will take it for "
          "'default'",
          named_pre_list());
      return {};
    }
    if (pre->nfc != nfc || (!nfc && !normalizers.empty())) {
      lose("the normalizer is not that of pre-tokenizer '{}', which readers will use", pre->name);
    }
    if (pre->ignore_merges != ignore_merges.value_or(false)) {
      lose("'ignore_merges' is not that of pre-tokenizer '{}', which readers will use", pre->name);
    }
    return {};
  }

  Result<void> name_specials() {
    const std::pair<const std::string&, std::optional<uint32_t>&> specials[] = {
        {options_.bos, out().bos_id},
        {options_.eos, out().eos_id},
        {options_.unk, out().unk_id},
        {options_.pad, out().pad_id},
        {options_.eot, out().eot_id}};
    for (const auto& [piece, id] : specials) {
      if (piece.empty()) continue;
      id = tokenizer_.id_of(piece);
      if (id) continue;
      return fail(ErrorCode::invalid_argument,
                  "{}: the special token '{}' is not in the vocabulary", root_.where(), piece);
    }
    return {};
  }

  Result<void> read_post_processor() {
    const auto is_known = [this](uint32_t id) { return tokenizer_.has_id(id); };
    TRY(const PostProcessor processor, PostProcessor::read(root_, is_known));
    out().add_bos = adds(processor.before(), out().bos_id);
    out().add_eos = adds(processor.after(), out().eos_id);
    return {};
  }

  /// Whether `ids`, put around a text, are the one special token; it may get its name by that.
  bool adds(const std::vector<uint32_t>& ids, std::optional<uint32_t>& special) {
    if (ids.empty()) return false;
    if (!special) special = ids[0];
    if (ids != std::vector{*special}) {
      lose("the post-processor adds '{}' and {} more, but readers will add '{}'",
           tokenizer_.piece(ids[0]), ids.size() - 1, tokenizer_.piece(*special));
    }
    return true;
  }

  static constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

  const JsonObject& root_;
  const Tokenizer& tokenizer_;
  const PlainExportOptions& options_;
  PlainExport export_;
  bool is_llama_ = false;
  uint32_t n_merges_ = 0;
  std::vector<uint32_t> first_made_;  // by id: the rank of the first merge that makes the piece
};

}  // namespace

Result<PlainExport> plain_vocabulary(std::string_view tokenizer_json, const std::string& where,
                                     const PlainExportOptions& options) {
  // What can be wrong with the file is found here; below its types are known.
  TRY(const Tokenizer tokenizer, Tokenizer::parse(tokenizer_json, where));
  TRY(const Json json, parse_json(tokenizer_json, where));
  TRY(const JsonObject root, JsonObject::from(json, where));
  TRY(PlainExport made, Exporter(root, tokenizer, options).run());
  made.vocabulary.tokenizer_json = tokenizer_json;
  return made;
}

}  // namespace handloom::tokenizer
