#include "engine/form_times.h"

#include "base/random.h"
#include "engine/times.h"
#include "gpu/native.h"
#include "ops/prepare_input.h"
#include "ops/project.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace handloom::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLeastGain = 0.05;     // of the rule's time, to prefer another form
constexpr uint32_t kMostRounds = 15;    // of every form, interleaved
constexpr uint32_t kLeastRounds = 3;    // even where time is short
constexpr double kWarmSeconds = 0.25;   // until a GPU's clocks are up
constexpr double kTimedSeconds = 5e-3;  // of a submit, where the host's clock has to do
constexpr uint64_t kCacheBytes = uint64_t{160} << 20;  // more than caches of GPUs hold

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The feed-forward half of a decoder's layer.
struct LayerShape {
  uint32_t dim, ffn_dim;

  PlaneLayout gate_up(DType weight) const { return plane_layout(weight, 2 * ffn_dim, dim); }
  PlaneLayout down(DType weight) const { return plane_layout(weight, dim, ffn_dim); }
  uint64_t bytes(DType weight) const { return gate_up(weight).bytes() + down(weight).bytes(); }
};

/// As in a model of one billion weights, if matrices of it can be bound. A software adapter reaches
/// its speed with smaller ones.
LayerShape layer_shape(const AdapterInfo& adapter, DType weight) {
  if (adapter.kind == AdapterKind::software) return {.dim = 512, .ffn_dim = 1536};
  LayerShape shape = {.dim = 2048, .ffn_dim = 8192};
  const uint64_t most = std::min(adapter.limits.max_binding_bytes, adapter.limits.max_buffer_bytes);
  while (shape.gate_up(weight).bytes() > most && shape.ffn_dim > 256) shape.ffn_dim /= 2;
  return shape;
}

/// Matrices of one type that are read one after the other, and what is between them.
class Layers {
 public:
  static Result<Layers> create(gpu::Device& device, DType weight, uint64_t most_bytes);

  /// One pass in this form.
  Result<gpu::Recording> record(gpu::Device& device, const ops::ProjectForm& form) const;
  uint64_t bytes() const { return layers_.size() * shape_.bytes(weight_); }
  /// Four bytes that are there when all submitted passes are through.
  const gpu::Tensor& fence() const { return fence_; }

 private:
  struct Layer {
    gpu::Tensor gate_up, down;
  };

  DType weight_ = DType::f32;
  LayerShape shape_ = {};
  std::vector<Layer> layers_;
  gpu::Tensor x_, gamma_, model_words_, ffn_words_, fence_;
};

/// Fills a tensor with words that are finite as codes, as scales and as values of every type: no
/// byte is above 0x3b, which as the upper one of an f16 makes less than 1.
void fill(gpu::Device& device, const gpu::Tensor& tensor) {
  static const std::vector<uint32_t> words = [] {
    std::vector<uint32_t> made(uint32_t{1} << 18);
    for (uint32_t i = 0; i < made.size(); ++i) made[i] = random_bits(1, i, 0) & 0x3b3b3b3bu;
    return made;
  }();
  const auto bytes = std::as_bytes(std::span(words));
  for (uint64_t done = 0; done < tensor.bytes(); done += bytes.size()) {
    device.write(tensor, bytes.first(std::min<uint64_t>(bytes.size(), tensor.bytes() - done)),
                 done);
  }
}

Result<Layers> Layers::create(gpu::Device& device, DType weight, uint64_t most_bytes) {
  Layers made;
  made.weight_ = weight;
  made.shape_ = layer_shape(device.adapter(), weight);
  const LayerShape& shape = made.shape_;
  const uint64_t layer_bytes = shape.bytes(weight);
  if (layer_bytes > most_bytes) {
    return fail(ErrorCode::out_of_memory,
                "tuning: a layer of {} needs {} bytes of GPU memory, the budget leaves {}",
                to_string(weight), layer_bytes, most_bytes);
  }
  const bool has_caches = device.adapter().kind != AdapterKind::software;
  const uint64_t wanted = has_caches ? (kCacheBytes + layer_bytes - 1) / layer_bytes : 1;
  const uint64_t n_layers = std::min(wanted, most_bytes / layer_bytes);

  constexpr auto kKind = gpu::MemoryKind::other;
  const auto matrix = [&](const char* name, Shape rows, const PlaneLayout& layout) {
    return is_quantised(weight) ? device.create_packed(name, weight, rows, layout.bytes(), kKind)
                                : device.create_tensor(name, weight, rows, kKind);
  };
  for (uint64_t i = 0; i < n_layers; ++i) {
    Layer layer;
    TRY(layer.gate_up,
        matrix("tuning.gate_up", {2 * shape.ffn_dim, shape.dim}, shape.gate_up(weight)));
    TRY(layer.down, matrix("tuning.down", {shape.dim, shape.ffn_dim}, shape.down(weight)));
    fill(device, layer.gate_up);
    fill(device, layer.down);
    made.layers_.push_back(std::move(layer));
  }
  TRY(made.x_, device.create_tensor("tuning.x", DType::f32, {1, shape.dim}, kKind));
  TRY(made.gamma_, device.create_tensor("tuning.gamma", DType::f32, {shape.dim}, kKind));
  TRY(made.model_words_,
      device.create_tensor("tuning.model_words", DType::u32, {ops::input_words(shape.dim)}, kKind));
  TRY(made.ffn_words_, device.create_tensor("tuning.ffn_words", DType::u32,
                                            {ops::input_words(shape.ffn_dim)}, kKind));
  fill(device, made.x_);
  fill(device, made.gamma_);
  made.fence_ = made.x_;
  made.fence_.shape = {1};
  return made;
}

Result<gpu::Recording> Layers::record(gpu::Device& device, const ops::ProjectForm& form) const {
  constexpr float kEps = 1e-5f;
  gpu::Encoder enc(device, "tuning");
  ops::Input next = ops::input_for(layers_.front().gate_up, model_words_, form);
  ops::prepare_input(enc, gamma_, x_, next);
  for (const Layer& layer : layers_) {
    ops::Input gated = ops::input_for(layer.down, ffn_words_, form);
    ops::project_gated(enc, next, layer.gate_up, ops::Gate::silu, gated, kEps);
    ops::project_residual(enc, gated, layer.down, gamma_, x_, next);
  }
  return enc.finish();
}

/// A form on its way to being measured.
struct Candidate {
  FormTime* time;
  gpu::Recording pass;
  uint32_t times = 1;  // passes a submit, on the host's clock
  std::vector<double> us = {};
};

Result<double> seconds_of(gpu::Device& device, const Candidate& c, const Layers& layers) {
  const auto begin = Clock::now();
  CHECK_OK(gpu::wait(device, device.submit_and_read(c.pass, layers.fence(), c.times)));
  return seconds_since(begin);
}

/// Compiles the forms and runs each once, until `end`. Those that the device refuses drop out.
Result<std::vector<Candidate>> compile(gpu::Device& device, const Layers& layers, FormTimes& times,
                                       Clock::time_point end) {
  std::vector<Candidate> candidates;
  for (FormTime& time : times.forms) {
    if (!candidates.empty() && Clock::now() >= end) {
      time.failure = "no time was left";
      continue;
    }
    auto pass = layers.record(device, time.form);
    if (!pass) return std::unexpected(pass.error());
    Candidate candidate{.time = &time, .pass = std::move(*pass)};
    const Result<double> first = seconds_of(device, candidate, layers);
    if (first) {
      candidates.push_back(std::move(candidate));
    } else if (first.error().code == ErrorCode::device_lost) {
      return std::unexpected(first.error());
    } else {
      time.failure = first.error().message;
    }
  }
  return candidates;
}

/// All candidates once, one after the other.
Result<void> run_round(gpu::Device& device, const Layers& layers, std::span<Candidate> candidates) {
  if (!device.features().timestamps) {
    for (Candidate& c : candidates) {
      TRY(const double seconds, seconds_of(device, c, layers));
      c.us.push_back(1e6 * seconds / c.times);
    }
    return {};
  }
  CHECK_OK(device.start_trace());
  for (const Candidate& c : candidates) device.submit(c.pass);
  TRY(const std::vector<std::byte> bytes, gpu::wait(device, device.end_trace()));
  const std::vector<gpu::GpuSpan> spans = gpu::spans_of(bytes);
  for (size_t i = 0; i < candidates.size() && i < spans.size(); ++i) {
    const auto ns = static_cast<int64_t>(spans[i].end_ns - spans[i].begin_ns);
    candidates[i].us.push_back(1e-3 * static_cast<double>(ns));
  }
  return {};
}

Result<FormTimes> measure_type(gpu::Device& device, DType weight, uint64_t most_bytes, bool warm,
                               double seconds) {
  const auto begin = Clock::now();
  const auto after = [&](double share) {
    return begin + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(share * seconds));
  };
  TRY(const Layers layers, Layers::create(device, weight, most_bytes));
  FormTimes times = {.weight = weight, .bytes = layers.bytes()};
  for (const ops::ProjectForm& form :
       ops::candidate_forms(device.adapter(), device.features(), weight)) {
    times.forms.push_back({.form = form});
  }
  TRY(std::vector<Candidate> candidates, compile(device, layers, times, after(0.8)));
  if (candidates.empty()) return times;

  for (const auto start = Clock::now(); !warm && seconds_since(start) < kWarmSeconds;) {
    CHECK_OK(seconds_of(device, candidates.front(), layers));
  }
  TRY(const double once, seconds_of(device, candidates.front(), layers));
  const double fitting = std::clamp(kTimedSeconds / std::max(once, 1e-6), 1.0, 64.0);
  for (Candidate& c : candidates) c.times = static_cast<uint32_t>(fitting);
  for (uint32_t round = 0; round < kMostRounds; ++round) {
    if (round >= kLeastRounds && Clock::now() >= after(1)) break;
    CHECK_OK(run_round(device, layers, candidates));
  }
  for (Candidate& c : candidates) c.time->us = median(std::move(c.us));
  return times;
}

}  // namespace

Result<std::vector<FormTimes>> measure_forms(gpu::Device& device, std::span<const DType> weights,
                                             const TimingBudget& budget) {
  const auto begin = Clock::now();
  bool warm = device.adapter().kind == AdapterKind::software;  // it has no clocks of its own
  std::vector<FormTimes> all;
  for (const DType weight : weights) {
    const double left = std::max(0.0, budget.seconds - seconds_since(begin));
    const auto n_left = static_cast<double>(weights.size() - all.size());
    TRY(FormTimes times, measure_type(device, weight, budget.bytes, warm, left / n_left));
    all.push_back(std::move(times));
    warm = true;
  }
  return all;
}

const FormTime* fastest(const FormTimes& times) {
  const auto is_sensible = [](const FormTime& time) {
    return time.failure.empty() && std::isfinite(time.us) && time.us > 0;
  };
  if (times.forms.empty() || !is_sensible(times.forms.front())) return nullptr;
  const FormTime* best = &times.forms.front();
  const double most = (1 - kLeastGain) * best->us;
  for (const FormTime& time : times.forms) {
    if (is_sensible(time) && time.us < best->us && time.us <= most) best = &time;
  }
  return best;
}

}  // namespace handloom::engine
