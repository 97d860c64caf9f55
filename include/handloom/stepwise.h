// Loading and generating for a host that must not wait, such as a page: what handloom.h does in one
// call, in steps. Between two steps the host gets what is wanted, in its own time. Only in a page
// (the WebAssembly build): natively nothing is gained by it.
//
//   auto steps = LoadSteps::start(path, options);
//   while (const auto wanted = steps->wanted()) steps->resume(<bytes of wanted->ranges>);
//   Engine engine = steps->finish();
#pragma once

#include <handloom/handloom.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace handloom {

struct FileRange {
  std::string path;
  uint64_t offset = 0, bytes = 0;
};

/// What a step needs: bytes of files, or, if it names none, that a read-back has completed.
struct Wanted {
  std::vector<FileRange> ranges;
  uint32_t readback = 0;  // the id of a buffer that is being mapped; 0: of nothing, only that all
                          // that was asked of the GPU so far has been accepted or refused
};

class LoadSteps {
 public:
  /// As Engine::load, which also says what the errors are.
  static Result<LoadSteps> start(const std::string& path, const LoadOptions& options);
  LoadSteps(LoadSteps&&) noexcept;
  LoadSteps& operator=(LoadSteps&&) noexcept;
  ~LoadSteps();

  /// Nothing: all is loaded.
  std::optional<Wanted> wanted() const;
  /// Of all ranges together.
  uint64_t total_bytes() const;
  /// The ranges that will be wanted after `n` others, so that a host can fetch ahead.
  std::vector<FileRange> ranges_ahead(size_t n) const;
  /// `bytes`: those of all wanted ranges, one behind the other; empty for a read-back.
  Result<void> resume(std::span<const std::byte> bytes);
  /// When nothing is wanted any more; once.
  Engine finish();

 private:
  struct Impl;
  explicit LoadSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class GenerateSteps {
 public:
  /// As Session::generate, but that the GPU chooses the tokens whatever `options` say. `session`
  /// must outlive the steps, and do nothing else meanwhile.
  static Result<GenerateSteps> start(Session& session, std::span<const uint32_t> prompt_ids,
                                     GenerateOptions options);
  /// As Session::generate with sample_on_host.
  static Result<GenerateSteps> start_on_host(Session& session, std::span<const uint32_t> prompt_ids,
                                             GenerateOptions options);
  GenerateSteps(GenerateSteps&&) noexcept;
  GenerateSteps& operator=(GenerateSteps&&) noexcept;
  ~GenerateSteps();

  /// Nothing: the generation has ended. No ranges are ever wanted.
  std::optional<Wanted> wanted() const;
  /// One token further, when the read-back has completed.
  Result<void> resume();
  Generation finish();

 private:
  struct Impl;
  explicit GenerateSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace handloom
