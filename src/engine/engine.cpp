// Engine: loading a folder onto a device, and answering for what was loaded.
#include "base/result.h"
#include "engine/engine_impl.h"
#include "engine/loader.h"
#include "engine/memory_plan.h"
#include "engine/product_forms.h"
#include "engine/times.h"
#include "formats/model_files.h"
#include "gpu/native.h"
#include "ops/matmul.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace handloom {
namespace {

constexpr uint64_t kUnsettledBytes = uint64_t{64} << 20;  // of weights on their way to the GPU

constexpr size_t kTimedReadbacks = 5;

bool stores_f16(Precision precision, const Features& features) {
  return precision == Precision::f16 || (precision == Precision::automatic && features.f16);
}

model::WeightStorage weight_storage(const LoadOptions& options, const Features& features) {
  return stores_f16(options.precision, features) ? model::WeightStorage::f16
                                                 : model::WeightStorage::as_in_file;
}

DType kv_dtype(const LoadOptions& options, const Features& features) {
  switch (options.kv) {
    case KvType::f32: return DType::f32;
    case KvType::f16: return DType::f16;
    case KvType::int8: return DType::i8;
    case KvType::automatic: break;
  }
  return stores_f16(options.precision, features) ? DType::f16 : DType::f32;
}

std::string kv_name(DType dtype) {
  return dtype == DType::i8 ? "int8" : std::string(to_string(dtype));
}

/// `config` must live as long as the answer.
engine::MemoryQuestion memory_question(const formats::ModelFiles& files,
                                       const formats::Config& config, const AdapterInfo& adapter,
                                       const LoadOptions& options) {
  return {.config = config,
          .kv_shape = {config.n_layers, config.n_kv_heads, config.head_dim,
                       kv_dtype(options, adapter.features)},
          .weight_bytes =
              engine::weight_bytes(files.checkpoint, weight_storage(options, adapter.features)),
          .limits = adapter.limits,
          .budget = options.memory_budget,
          .spills = options.kv_spill == KvSpill::host,
          .fused = options.plan != PlanKind::plain};
}

Result<void> check_slab(uint32_t slab) {
  if (slab % kv_cache::kGranule == 0) return {};
  return fail(ErrorCode::invalid_argument, "engine: kv_slab is {}, expected a multiple of {}", slab,
              kv_cache::kGranule);
}

/// What the KV caches may take, now that all else is on the GPU; 0: no limit is known.
uint64_t bytes_left(const engine::MemoryQuestion& q, const Engine::Impl& e, uint32_t context) {
  const uint64_t budget = engine::budget_of(q);
  if (budget == 0) return 0;
  const uint64_t taken =
      e.device.memory().total() + engine::step_bytes(e.config, e.model->max_tokens(), context);
  return std::max<uint64_t>(budget - std::min(budget, taken), 1);
}

SamplingOptions default_sampling_of(const formats::GenerationConfig& g) {
  SamplingOptions s;
  if (g.do_sample.value_or(false)) {
    s.temperature = g.temperature.value_or(1.0f);
    s.top_k = g.top_k.value_or(0);
    s.top_p = g.top_p.value_or(1.0f);
    s.min_p = g.min_p.value_or(0.0f);
  }
  s.repeat_penalty = g.repeat_penalty.value_or(1.0f);
  return s;
}

/// A tokenizer may know fewer ids than the model has rows (padding), never more.
Result<void> check_vocabulary(const std::string& folder, const Tokenizer& tokenizer,
                              const formats::Config& config) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return fail(ErrorCode::bad_format,
              "{}: the tokenizer has ids up to {}, the model has {} embeddings", folder,
              tokenizer.vocab_size() - 1, config.vocab_size);
}

ModelInfo describe_model(const std::string& folder, const Engine::Impl& e, Precision precision,
                         std::vector<ProductForm> products, uint32_t context) {
  const formats::Config& c = e.config;
  const model::Weights& w = e.model->weights();
  std::string matvec = "f32";
  for (const char* act : {"f16", "int8"}) {
    const auto has_it = [act](const ProductForm& form) { return form.act == act; };
    if (std::ranges::any_of(products, has_it)) matvec = act;
  }
  return {.folder = folder,
          .architecture = c.architecture,
          .weight_dtype = std::string(to_string(w.output.dtype())),
          .kv_dtype = kv_name(e.kv_shape.dtype),
          .precision = precision,
          .plan = e.model->decode_options().fused ? "fused" : "plain",
          .matvec = std::move(matvec),
          .products = std::move(products),
          .n_layers = c.n_layers,
          .model_dim = c.model_dim,
          .ffn_dim = c.ffn_dim,
          .n_heads = c.n_heads,
          .n_kv_heads = c.n_kv_heads,
          .head_dim = c.head_dim,
          .vocab_size = c.vocab_size,
          .max_seq_len = c.max_seq_len,
          .context = context,
          .n_parameters = c.weight_count(),
          .weight_bytes_per_token = w.bytes_per_token(c),
          .kv_bytes_per_token = c.kv_bytes_per_token(e.kv_shape.dtype)};
}

}  // namespace

namespace engine {

struct Loader::FirstSteps {
  kv_cache::KvCache kv;
  StepBuffers step;
  gpu::Recording prefill, decode;

  static Result<std::unique_ptr<FirstSteps>> record(Engine::Impl& e) {
    const uint32_t n_tokens = std::min(e.model->max_tokens(), 2 * ops::kMatmulVecRows);
    TRY(kv_cache::KvCache kv, e.new_cache(n_tokens));
    CHECK_OK(kv.make_room(e.device, 0, n_tokens));  // nothing has to leave for that
    TRY(StepBuffers step, StepBuffers::create(e.device, n_tokens, n_tokens, e.config.vocab_size));
    e.write_tokens(step, std::vector<uint32_t>(n_tokens, 0), 0);
    // What chooses a token depends on the options: those of an answer that asks for no others.
    const ops::SamplingWords sampling = ops::sampling_words(e.default_sampling);
    const ops::TokenChoice choice = ops::token_choice(e.default_sampling);
    e.device.write(step.sampling.options, std::as_bytes(std::span(&sampling, 1)));
    using Ending = Engine::Impl::Ending;
    const auto record = [&](std::string label, uint32_t n_rows, Ending ending) {
      gpu::Encoder enc(e.device, std::move(label));
      enc.leave_out_repeats();
      e.encode_step(enc, step, kv, n_rows, n_rows, ending, choice);
      return enc.finish();
    };
    // The decode step has the kernels that take longest to compile: they are begun first.
    TRY(gpu::Recording decode, record("first decode step", 1, Ending::token));
    TRY(gpu::Recording prefill, record("first prefill", n_tokens, Ending::logits));
    return std::make_unique<FirstSteps>(std::move(kv), std::move(step), std::move(prefill),
                                        std::move(decode));
  }

  Result<gpu::Readback> submit(gpu::Device& device) {
    device.submit(prefill);
    return device.submit_and_read(decode, step.state.history);
  }
};

Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;
Loader::~Loader() = default;

Loader::Loader(std::string path, const LoadOptions& options, formats::ModelFiles files,
               std::unique_ptr<Engine::Impl> impl)
    : path_(std::move(path)),
      options_(options),
      files_(std::make_unique<formats::ModelFiles>(std::move(files))),
      impl_(std::move(impl)) {}

Result<Loader> Loader::start(const std::string& path, const LoadOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  // Everything on disk is checked before a device is opened.
  TRY(formats::ModelFiles files, formats::open_model(path));
  TRY(Tokenizer tokenizer, make_tokenizer(files.tokenizer));
  CHECK_OK(check_vocabulary(path, tokenizer, files.config));
  CHECK_OK(check_slab(options.kv_slab));
  TRY(gpu::Device device, gpu::open_device(options.adapter));
  Features features = device.adapter().features;
  features.subgroups &= options.subgroups.value_or(true);
  device.restrict_features(features);
  auto impl = std::make_unique<Engine::Impl>(
      Engine::Impl{.device = std::move(device), .config = files.config});
  Loader loader(path, options, std::move(files), std::move(impl));
  loader.started_ = started;

  Engine::Impl& e = *loader.impl_;
  const formats::ModelFiles& model = *loader.files_;
  const AdapterInfo& adapter = e.device.adapter();
  const MemoryQuestion question = memory_question(model, e.config, adapter, options);
  e.kv_shape = question.kv_shape;
  e.eos_ids = model.generation.eos_ids.empty() ? e.config.eos_ids : model.generation.eos_ids;
  e.default_sampling = default_sampling_of(model.generation);
  e.tokenizer = std::move(tokenizer);

  TRY(loader.context_, choose_context(question, options.context));
  const model::WeightStorage storage = weight_storage(options, adapter.features);
  const std::set<DType> types = matrix_types(model.checkpoint, storage);
  TRY(loader.products_, product_forms(options, e.device, types));
  loader.started_ += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(loader.products_.tuned.seconds));
  const model::DecodeOptions decode = {.fused = options.plan != PlanKind::plain,
                                       .forms = loader.products_.forms};
  TRY(loader.fence_, e.device.create_tensor("fence", DType::u32, {1}, gpu::MemoryKind::other));
  TRY(e.model,
      model::load_model(e.device, model.checkpoint, model.naming, e.config, storage,
                        loader.context_, prefill_tokens(e.config, loader.context_, adapter.limits),
                        decode, loader.uploads_));
  TRY(loader.first_steps_, FirstSteps::record(e));
  for (const DType type : types) ops::prepare_matmul(e.device, type, e.model->max_tokens());
  return loader;
}

Result<void> Loader::upload(std::span<const FileBytes> bytes) {
  gpu::Device& device = impl_->device;
  if (auto done = uploads_.upload(device, bytes); !done) {
    return fail(done.error().code, "{}: {}", files_->checkpoint.where(), done.error().message);
  }
  const uint64_t done_bytes = uploads_.done_bytes();
  if (options_.on_progress) {
    options_.on_progress({done_bytes, uploads_.total_bytes(), "weights"});
  }
  if (uploads_.finished()) {
    pending_ = device.settle();
  } else if (done_bytes - settled_bytes_ >= kUnsettledBytes) {
    settled_bytes_ = done_bytes;
    pending_ = device.read(fence_);
  }
  return {};
}

Result<void> Loader::resume(std::span<const std::byte>) {
  switch (stage_) {
    case Stage::weights: {
      if (!uploads_.finished()) return {};
      const uint64_t total = uploads_.total_bytes();
      if (options_.on_progress) options_.on_progress({total, total, "kernels"});
      stage_ = Stage::kernels;
      TRY(pending_, first_steps_->submit(impl_->device));
      return {};
    }
    case Stage::kernels:
      first_steps_.reset();
      stage_ = Stage::readbacks;
      start_readback();
      return {};
    case Stage::readbacks:
      readback_ms_.push_back(milliseconds(std::chrono::steady_clock::now() - readback_started_));
      if (readback_ms_.size() < kTimedReadbacks) {
        start_readback();
      } else {
        stage_ = Stage::done;
      }
      return {};
    case Stage::done: return {};
  }
  return {};
}

void Loader::start_readback() {
  readback_started_ = std::chrono::steady_clock::now();
  pending_ = impl_->device.read(fence_);
}

std::vector<ProductForm> Loader::products() const {
  std::vector<ProductForm> forms;
  if (!impl_->model->decode_options().fused) return forms;
  const Features& features = impl_->device.adapter().features;
  for (const DType weight : matrix_types(files_->checkpoint, weight_storage(options_, features))) {
    forms.push_back(
        describe(weight, products_.forms.of(weight), products_.tuned.weights.contains(weight)));
  }
  return forms;
}

std::unique_ptr<Engine::Impl> Loader::finish() {
  Engine::Impl& e = *impl_;
  fence_ = {};
  e.readback_ms = median(readback_ms_);
  const AdapterInfo& adapter = e.device.adapter();
  const MemoryQuestion question = memory_question(*files_, e.config, adapter, options_);
  e.kv_options =
      kv_options(question, context_, bytes_left(question, e, context_), options_.kv_slab);
  e.info = describe_model(
      path_, e, stores_f16(options_.precision, adapter.features) ? Precision::f16 : Precision::f32,
      products(), context_);
  e.load_ms = milliseconds(std::chrono::steady_clock::now() - started_);
  return std::move(impl_);
}

}  // namespace engine

Result<Engine> Engine::load(const std::string& path, const LoadOptions& options) {
  TRY(engine::Loader loader, engine::Loader::start(path, options));
  while (!loader.finished()) {
    if (loader.wants_bytes()) {
      CHECK_OK(loader.upload(loader.wanted()));
      continue;
    }
    TRY(const std::vector<std::byte> bytes, gpu::wait(loader.device(), loader.next_readback()));
    CHECK_OK(loader.resume(bytes));
  }
  return Engine(loader.finish());
}

Result<MemoryEstimate> Engine::estimate(const std::string& path, const LoadOptions& options) {
  TRY(const formats::ModelFiles files, formats::open_model(path));
  TRY(const gpu::Device device, gpu::open_device(options.adapter));
  const AdapterInfo& adapter = device.adapter();
  const engine::MemoryQuestion question = memory_question(files, files.config, adapter, options);
  const Result<uint32_t> loadable = engine::choose_context(question, options.context);
  if (!loadable && loadable.error().code == ErrorCode::invalid_argument) {
    return std::unexpected(loadable.error());
  }
  const uint32_t fitting = engine::fitting_context(question);
  const uint32_t chosen = fitting > 0 ? fitting : kv_cache::kPageSize;
  const uint32_t context = options.context > 0 ? options.context : chosen;
  return MemoryEstimate{.use = engine::memory_needed(question, context),
                        .context = context,
                        .fitting_context = fitting,
                        .budget = engine::budget_of(question),
                        .fits = loadable.has_value(),
                        .kv_dtype = kv_name(question.kv_shape.dtype),
                        .adapter = adapter};
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

const Tokenizer& Engine::tokenizer() const { return *impl_->tokenizer; }
const ModelInfo& Engine::model() const { return impl_->info; }
const AdapterInfo& Engine::adapter() const { return impl_->device.adapter(); }
MemoryUse Engine::memory() const { return impl_->device.memory(); }
double Engine::load_ms() const { return impl_->load_ms; }
const SamplingOptions& Engine::default_sampling() const { return impl_->default_sampling; }

Result<Session> Engine::new_session() {
  TRY(std::unique_ptr<Session::Impl> session, Session::Impl::create(*impl_, impl_->info.context));
  return Session(std::move(session));
}

void Engine::lose_device_for_test() { impl_->device.backend().lose_device(); }

Result<AdapterChoice> list_adapters() {
  TRY(std::vector<AdapterInfo> adapters, gpu::list_adapters());
  return AdapterChoice{.adapters = std::move(adapters), .chosen = 0};
}

std::string_view version() { return "0.1.0"; }

}  // namespace handloom
