// Loader: one call of Engine::load as a state machine that never waits.
//
//   auto l = Loader::start(path, options);   // all files are checked, all memory is allocated
//   while (!l->finished()) {
//     if (l->wants_bytes()) l->upload(<the bytes of l->wanted()>);
//     else l->resume(<wait for l->next_readback()>);
//   }
//   l->finish();
#pragma once

#include "engine/engine_impl.h"
#include "engine/product_forms.h"
#include "formats/model_files.h"
#include "model/uploads.h"

#include <chrono>

namespace handloom::engine {

class Loader {
 public:
  static Result<Loader> start(const std::string& path, const LoadOptions& options);
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;
  ~Loader();

  bool finished() const { return stage_ == Stage::done; }
  bool wants_bytes() const { return stage_ == Stage::weights && !pending_.pending(); }
  /// What upload() wants next, or after `ahead` other calls. Natively it is in memory.
  std::vector<FileBytes> wanted(size_t ahead = 0) const { return uploads_.next(ahead); }
  /// Of all uploads.
  uint64_t total_bytes() const { return uploads_.total_bytes(); }
  Result<void> upload(std::span<const FileBytes> bytes);
  gpu::Readback next_readback() { return std::move(pending_); }
  Result<void> resume(std::span<const std::byte> bytes);
  std::unique_ptr<Engine::Impl> finish();
  gpu::Device& device() { return impl_->device; }

 private:
  /// The kernels of a prefill and of a decode step, on nothing in particular. Drivers compile a
  /// kernel when it is created or when it first runs; both belong to loading, not to the first
  /// answer. They are recorded before the weights come, so that a page compiles and fetches at
  /// once.
  struct FirstSteps;

  enum class Stage { weights, kernels, readbacks, done };

  Loader(std::string path, const LoadOptions& options, formats::ModelFiles files,
         std::unique_ptr<Engine::Impl> impl);

  /// Of the fused plan's decode steps, by the types of the model's matrices.
  std::vector<ProductForm> products() const;
  /// How long the way from a submit to its bytes is, of which steps in flight keep the GPU free.
  void start_readback();

  std::chrono::steady_clock::time_point started_;
  std::string path_;
  LoadOptions options_;
  std::unique_ptr<formats::ModelFiles> files_;  // where its tensors stay when the Loader moves
  std::unique_ptr<Engine::Impl> impl_;
  uint32_t context_ = 0;
  ProductForms products_;
  model::Uploads uploads_;
  std::unique_ptr<FirstSteps> first_steps_;
  uint64_t settled_bytes_ = 0;
  gpu::Tensor fence_;  // reading it back waits for all that was written before
  gpu::Readback pending_;
  Stage stage_ = Stage::weights;
  std::chrono::steady_clock::time_point readback_started_;
  std::vector<double> readback_ms_;
};

}  // namespace handloom::engine
