// What a page may call. One function takes and answers JSON, {"call": "encode", ...}; two more give
// it memory to write bytes into. web/src/engine.ts is the other side. One engine an instance.
#include "page.h"

#include "base/file_web.h"
#include "base/web_host.h"

namespace handloom::web {

Page page;

namespace {

// --- Arguments

/// Memory of this side, which the page has written.
std::span<const std::byte> bytes_of(const JsonObject& call) {
  const auto at = call.find_u32("at"), n_bytes = call.find_u32("nBytes");
  if (!at || !n_bytes || !*at || !*n_bytes) return {};
  return {reinterpret_cast<const std::byte*>(uintptr_t{**at}), **n_bytes};
}

/// The value of `names` whose position the key's text has; `otherwise` if the key is absent.
template <class Enum, size_t n>
Result<Enum> find_named(const JsonObject& call, std::string_view key,
                        const std::string_view (&names)[n], Enum otherwise) {
  TRY(const auto& given, call.find_string(key));
  if (!given) return otherwise;
  std::string all;
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == *given) return static_cast<Enum>(i);
    all += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  }
  return fail(ErrorCode::invalid_argument, "{}: '{}' is '{}', expected one of {}", call.where(),
              key, *given, all);
}

Result<Generating*> get_generating(const JsonObject& call) {
  TRY(const uint32_t id, call.get_u32("session"));
  const auto found = page.generating.find(id);
  if (found != page.generating.end()) return found->second.get();
  return fail(ErrorCode::invalid_argument, "session: {} generates nothing", id);
}

// --- Answers

JsonText to_json(const FileRange& range) {
  return JsonText().put("path", range.path).put("offset", range.offset).put("bytes", range.bytes);
}

JsonText to_json(std::span<const FileRange> ranges) {
  std::vector<JsonText> all;
  for (const FileRange& range : ranges) all.push_back(to_json(range));
  return JsonText().put("ranges", all);
}

JsonText to_json(const MemoryUse& use) {
  return JsonText()
      .put("weights", use.weights)
      .put("kvCache", use.kv_cache)
      .put("activations", use.activations)
      .put("other", use.other)
      .put("kvHost", use.kv_host)
      .put("total", use.total());
}

JsonText to_json(const SamplingOptions& s) {
  return JsonText()
      .put("temperature", double{s.temperature})
      .put("topK", s.top_k)
      .put("topP", double{s.top_p})
      .put("minP", double{s.min_p})
      .put("repeatPenalty", double{s.repeat_penalty});
}

JsonText to_json(const ChatTemplate& chat) {
  return JsonText()
      .put("text", chat.text)
      .put("bosToken", chat.bos_token)
      .put("eosToken", chat.eos_token)
      .put("unkToken", chat.unk_token)
      .put("padToken", chat.pad_token);
}

JsonText describe_engine(const Engine& engine) {
  const ModelInfo& m = engine.model();
  return JsonText()
      .put("architecture", m.architecture)
      .put("weightDtype", m.weight_dtype)
      .put("kvDtype", m.kv_dtype)
      .put("precision", m.precision == Precision::f16 ? "f16" : "f32")
      .put("plan", m.plan)
      .put("matvec", m.matvec)
      .put("layers", m.n_layers)
      .put("modelDim", m.model_dim)
      .put("vocabSize", m.vocab_size)
      .put("maxSeqLen", m.max_seq_len)
      .put("context", m.context)
      .put("parameters", m.n_parameters)
      .put("weightBytesPerToken", m.weight_bytes_per_token)
      .put("kvBytesPerToken", m.kv_bytes_per_token)
      .put("sampling", to_json(engine.default_sampling()))
      .put("chatTemplate", to_json(engine.tokenizer().chat_template()));
}

// --- Files and loading

Result<JsonText> add_file(const JsonObject& call) {
  TRY(const std::string& path, call.get_string("path"));
  TRY(const double size, call.get_number("size"));
  TRY(const double begin, call.get_number("begin"));
  web::add_file(path, static_cast<uint64_t>(size), static_cast<uint64_t>(begin), bytes_of(call));
  return JsonText();
}

Result<JsonText> add_absent(const JsonObject& call) {
  TRY(const std::string& path, call.get_string("path"));
  web::add_absent(path);
  return JsonText();
}

Result<JsonText> add_folder(const JsonObject& call) {
  TRY(const std::string& path, call.get_string("path"));
  std::vector<std::string> holds;
  if (const Json* names = call.find("holds"); names != nullptr) {
    for (const Json& name : *names) holds.push_back(path + "/" + name.get<std::string>());
  }
  web::add_folder(path, std::move(holds));
  return JsonText();
}

Result<LoadOptions> load_options(const JsonObject& call) {
  LoadOptions options;
  static constexpr std::string_view kPrecisions[] = {"f32", "f16", "automatic"};
  static constexpr std::string_view kKvTypes[] = {"automatic", "f32", "f16", "int8"};
  static constexpr std::string_view kPlans[] = {"automatic", "plain", "fused"};
  TRY(options.precision, find_named(call, "precision", kPrecisions, Precision::automatic));
  TRY(options.kv, find_named(call, "kv", kKvTypes, KvType::automatic));
  TRY(options.plan, find_named(call, "plan", kPlans, PlanKind::automatic));
  TRY(const auto context, call.find_u32("context"));
  options.context = context.value_or(0);
  TRY(const auto& matvec, call.find_string("matvec"));
  options.matvec = matvec.value_or("");
  TRY(options.subgroups, call.find_bool("subgroups"));
  return options;
}

/// {"want": {...}} until all that is read before the weights has been given to add_file().
Result<JsonText> load(const JsonObject& call) {
  TRY(const std::string& path, call.get_string("path"));
  TRY(const LoadOptions options, load_options(call));
  Result<LoadSteps> steps = LoadSteps::start(path, options);
  if (const auto want = web::take_want()) {
    return JsonText().put(
        "want", JsonText().put("path", want->path).put("begin", want->begin).put("end", want->end));
  }
  TRY(page.loading, std::move(steps));
  return JsonText();
}

Result<JsonText> load_total(const JsonObject&) {
  return JsonText().put("totalBytes", page.loading->total_bytes());
}

Result<JsonText> load_wanted(const JsonObject&) { return wanted_json(page.loading->wanted()); }

Result<JsonText> load_ahead(const JsonObject& call) {
  TRY(const uint32_t n, call.get_u32("n"));
  return to_json(page.loading->ranges_ahead(n));
}

Result<JsonText> load_resume(const JsonObject& call) {
  CHECK_OK(page.loading->resume(bytes_of(call)));
  return JsonText();
}

Result<JsonText> load_finish(const JsonObject&) {
  page.engine = page.loading->finish();
  page.loading.reset();
  web::forget_files();
  return describe_engine(*page.engine);
}

// --- Text

Result<JsonText> encode(const JsonObject& call) {
  TRY(const std::string& text, call.get_string("text"));
  TRY(const auto add_specials, call.find_bool("addSpecials"));
  TRY(const std::vector<uint32_t>& ids,
      page.engine->tokenizer().encode(text, add_specials.value_or(false)));
  return JsonText().put("ids", ids);
}

Result<JsonText> decode(const JsonObject& call) {
  TRY(const std::vector<uint32_t>& ids, get_ids(call));
  TRY(const std::string& text, page.engine->tokenizer().decode(ids));
  return JsonText().put("text", text);
}

// --- Sessions

Result<JsonText> open_session(const JsonObject&) {
  TRY(Session session, page.engine->new_session());
  page.sessions.emplace(page.next_session, std::move(session));
  return JsonText().put("session", page.next_session++);
}

Result<JsonText> close_session(const JsonObject& call) {
  TRY(const uint32_t id, call.get_u32("session"));
  page.generating.erase(id);
  page.sessions.erase(id);
  return JsonText();
}

Result<JsonText> session_ids(const JsonObject& call) {
  TRY(const Session* session, get_session(call));
  return JsonText().put("ids", session->ids());
}

Result<JsonText> rewind(const JsonObject& call) {
  TRY(Session * session, get_session(call));
  TRY(const uint32_t length, call.get_u32("length"));
  CHECK_OK(session->rewind(length));
  return JsonText();
}

Result<SamplingOptions> sampling_options(const JsonObject& call, const SamplingOptions& base) {
  SamplingOptions s = base;
  const auto narrow = [&](std::string_view key, float& to) -> Result<void> {
    TRY(const auto given, call.find_number(key));
    if (given) to = static_cast<float>(*given);
    return {};
  };
  CHECK_OK(narrow("temperature", s.temperature));
  CHECK_OK(narrow("topP", s.top_p));
  CHECK_OK(narrow("minP", s.min_p));
  CHECK_OK(narrow("repeatPenalty", s.repeat_penalty));
  CHECK_OK(narrow("frequencyPenalty", s.frequency_penalty));
  CHECK_OK(narrow("presencePenalty", s.presence_penalty));
  TRY(const auto top_k, call.find_u32("topK"));
  s.top_k = top_k.value_or(s.top_k);
  TRY(const auto seed, call.find_number("seed"));
  s.seed = static_cast<uint64_t>(seed.value_or(0));
  return s;
}

Result<JsonText> generate(const JsonObject& call) {
  TRY(Session * session, get_session(call));
  TRY(const uint32_t id, call.get_u32("session"));
  TRY(const std::vector<uint32_t>& ids, get_ids(call));
  auto generating = std::make_unique<Generating>();
  GenerateOptions options;
  TRY(options.sampling, sampling_options(call, page.engine->default_sampling()));
  TRY(const auto max_tokens, call.find_u32("maxTokens"));
  options.max_tokens = max_tokens.value_or(0);
  TRY(const auto ids_only, call.find_bool("idsOnly"));
  options.ids_only = ids_only.value_or(false);
  TRY(const auto steps_in_flight, call.find_u32("stepsInFlight"));
  options.steps_in_flight = steps_in_flight.value_or(0);
  if (const Json* stop = call.find("stop"); stop != nullptr) {
    for (const Json& text : *stop) options.stop.push_back(text.get<std::string>());
  }
  options.on_text = [g = generating.get()](std::string_view text, uint32_t token_id) {
    g->text += text;
    g->ids.push_back(token_id);
    return !g->cancelled;
  };
  page.generating.erase(id);
  TRY(generating->steps, GenerateSteps::start(*session, ids, std::move(options)));
  page.generating[id] = std::move(generating);
  return JsonText();
}

Result<JsonText> generate_wanted(const JsonObject& call) {
  TRY(const Generating* g, get_generating(call));
  return wanted_json(g->steps->wanted());
}

/// What has been said since the last call.
Result<JsonText> generate_resume(const JsonObject& call) {
  TRY(Generating * g, get_generating(call));
  g->text.clear();
  g->ids.clear();
  CHECK_OK(g->steps->resume());
  return JsonText().put("text", g->text).put("ids", g->ids);
}

Result<JsonText> generate_cancel(const JsonObject& call) {
  TRY(Generating * g, get_generating(call));
  g->cancelled = true;
  return JsonText();
}

Result<JsonText> generate_finish(const JsonObject& call) {
  TRY(Generating * g, get_generating(call));
  const Generation made = g->steps->finish();
  TRY(const uint32_t id, call.get_u32("session"));
  page.generating.erase(id);
  const Timings& t = made.timings;
  return JsonText()
      .put("text", made.text)
      .put("ids", made.ids)
      .put("finishReason", to_string(made.finish_reason))
      .put("stats", JsonText()
                        .put("promptTokens", t.n_prompt)
                        .put("generatedTokens", t.n_generated)
                        .put("prefillMs", t.prefill_ms)
                        .put("decodeMs", t.decode_ms)
                        .put("decodeBytes", t.decode_bytes)
                        .put("stepsInFlight", t.steps_in_flight));
}

Result<JsonText> memory(const JsonObject&) { return to_json(page.engine->memory()); }

constexpr Call kCalls[] = {{"addFile", add_file},
                           {"addAbsent", add_absent},
                           {"addFolder", add_folder},
                           {"load", load},
                           {"loadTotal", load_total},
                           {"loadWanted", load_wanted},
                           {"loadAhead", load_ahead},
                           {"loadResume", load_resume},
                           {"loadFinish", load_finish},
                           {"encode", encode},
                           {"decode", decode},
                           {"openSession", open_session},
                           {"closeSession", close_session},
                           {"sessionIds", session_ids},
                           {"rewind", rewind},
                           {"generate", generate},
                           {"generateWanted", generate_wanted},
                           {"generateResume", generate_resume},
                           {"generateCancel", generate_cancel},
                           {"generateFinish", generate_finish},
                           {"memory", memory}};

Result<JsonText> answer(std::string_view text) {
  TRY(const Json& json, parse_json(text, "call"));
  TRY(const JsonObject& named, JsonObject::from(json, "call"));
  TRY(const std::string& name, named.get_string("call"));
  for (const std::span<const Call> calls : {std::span<const Call>(kCalls), more_calls()}) {
    for (const Call& call : calls) {
      if (call.name != name) continue;
      TRY(const JsonObject& object, JsonObject::from(json, name));
      return call.function(object);
    }
  }
  return fail(ErrorCode::internal, "call: '{}' is not known", name);
}

}  // namespace

Result<std::vector<uint32_t>> get_ids(const JsonObject& call) {
  const Json* ids = call.find("ids");
  std::vector<uint32_t> out;
  if (ids != nullptr && ids->is_array()) {
    for (const Json& id : *ids) {
      if (!id.is_number_unsigned()) break;
      out.push_back(id.get<uint32_t>());
    }
    if (out.size() == ids->size()) return out;
  }
  return fail(ErrorCode::invalid_argument, "{}: 'ids' is {}, expected a list of token ids",
              call.where(), ids == nullptr ? "missing" : describe(*ids));
}

Result<Session*> get_session(const JsonObject& call) {
  TRY(const uint32_t id, call.get_u32("session"));
  const auto found = page.sessions.find(id);
  if (found != page.sessions.end()) return &found->second;
  return fail(ErrorCode::invalid_argument, "session: {} is not open", id);
}

JsonText wanted_json(const std::optional<Wanted>& wanted) {
  if (!wanted) return JsonText().put("done", true);
  if (!wanted->ranges.empty()) return to_json(wanted->ranges);
  return JsonText().put("readback", wanted->readback);
}

}  // namespace handloom::web

extern "C" {

__attribute__((export_name("handloom_alloc"))) void* handloom_alloc(size_t n_bytes) {
  return std::malloc(n_bytes);
}

__attribute__((export_name("handloom_free"))) void handloom_free(void* memory) {
  std::free(memory);
}

/// The answer is {"ok": ...} or {"error": {"code", "message"}}, a Block that the page frees.
__attribute__((export_name("handloom_call"))) handloom::web::Block* handloom_call(const char* text,
                                                                                  size_t n_bytes) {
  using namespace handloom;
  const Result<JsonText> made = web::answer({text, n_bytes});
  JsonText reply;
  if (made) {
    reply.put("ok", *made);
  } else {
    reply.put(
        "error",
        JsonText().put("code", to_string(made.error().code)).put("message", made.error().message));
  }
  const std::string out = reply.text();
  auto* block = static_cast<web::Block*>(std::malloc(sizeof(web::Block) + out.size()));
  block->n_bytes = static_cast<uint32_t>(out.size());
  std::memcpy(block->bytes, out.data(), out.size());
  return block;
}

}  // extern "C"
