// The door of a host that must not wait: Loader and Generator with what they wait for by its name.
#include <handloom/stepwise.h>

#include "base/file_web.h"
#include "base/result.h"
#include "engine/generator.h"
#include "engine/loader.h"

namespace handloom {

struct LoadSteps::Impl {
  engine::Loader loader;
  gpu::Readback readback = {};

  /// Takes over what the loader waits for next.
  void look() {
    if (!loader.finished() && !loader.wants_bytes()) readback = loader.next_readback();
  }
};

LoadSteps::LoadSteps(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LoadSteps::LoadSteps(LoadSteps&&) noexcept = default;
LoadSteps& LoadSteps::operator=(LoadSteps&&) noexcept = default;
LoadSteps::~LoadSteps() = default;

Result<LoadSteps> LoadSteps::start(const std::string& path, const LoadOptions& options) {
  TRY(engine::Loader loader, engine::Loader::start(path, options));
  LoadSteps steps(std::make_unique<Impl>(Impl{.loader = std::move(loader)}));
  steps.impl_->look();
  return steps;
}

std::optional<Wanted> LoadSteps::wanted() const {
  if (impl_->loader.finished()) return std::nullopt;
  if (impl_->readback.pending()) return Wanted{.readback = impl_->readback.buffer()};
  return Wanted{.ranges = ranges_ahead(0)};
}

uint64_t LoadSteps::total_bytes() const { return impl_->loader.total_bytes(); }

std::vector<FileRange> LoadSteps::ranges_ahead(size_t n) const {
  std::vector<FileRange> ranges;
  for (const FileBytes& bytes : impl_->loader.wanted(n)) {
    ranges.push_back(
        {.path = web::path_of(bytes.file()), .offset = bytes.offset(), .bytes = bytes.size()});
  }
  return ranges;
}

Result<void> LoadSteps::resume(std::span<const std::byte> bytes) {
  engine::Loader& loader = impl_->loader;
  if (impl_->readback.pending()) {
    TRY(const std::vector<std::byte>& read, std::exchange(impl_->readback, {}).take());
    CHECK_OK(loader.resume(read));
  } else {
    std::vector<FileBytes> given;
    for (const FileBytes& wanted : loader.wanted(0)) {
      const auto size = static_cast<size_t>(wanted.size());
      if (size > bytes.size()) {
        return fail(ErrorCode::invalid_argument, "load: {} bytes are given, expected {}",
                    bytes.size(), size);
      }
      given.emplace_back(bytes.first(size));
      bytes = bytes.subspan(size);
    }
    CHECK_OK(loader.upload(given));
  }
  impl_->look();
  return {};
}

Engine LoadSteps::finish() { return Engine(impl_->loader.finish()); }

struct GenerateSteps::Impl {
  GenerateOptions options;  // the generator refers to them
  std::optional<engine::Generator> generator = {};
  gpu::Readback readback = {};

  Result<void> begin(Session& session, std::span<const uint32_t> prompt_ids,
                     engine::HostSampler sample_on_host) {
    TRY(engine::Generator begun,
        engine::Generator::start(session.impl(), prompt_ids, options, std::move(sample_on_host)));
    generator.emplace(std::move(begun));
    look();
    return {};
  }
  void look() {
    if (!generator->finished()) readback = generator->next_readback();
  }
};

GenerateSteps::GenerateSteps(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GenerateSteps::GenerateSteps(GenerateSteps&&) noexcept = default;
GenerateSteps& GenerateSteps::operator=(GenerateSteps&&) noexcept = default;
GenerateSteps::~GenerateSteps() = default;

Result<GenerateSteps> GenerateSteps::start(Session& session, std::span<const uint32_t> prompt_ids,
                                           GenerateOptions options) {
  auto impl = std::make_unique<Impl>(Impl{.options = std::move(options)});
  CHECK_OK(impl->begin(session, prompt_ids, {}));
  return GenerateSteps(std::move(impl));
}

Result<GenerateSteps> GenerateSteps::start_on_host(Session& session,
                                                   std::span<const uint32_t> prompt_ids,
                                                   GenerateOptions options) {
  auto impl = std::make_unique<Impl>(Impl{.options = std::move(options)});
  CHECK_OK(impl->begin(session, prompt_ids, engine::host_sampler(impl->options.sampling)));
  return GenerateSteps(std::move(impl));
}

std::optional<Wanted> GenerateSteps::wanted() const {
  if (!impl_->readback.pending()) return std::nullopt;
  return Wanted{.readback = impl_->readback.buffer()};
}

Result<void> GenerateSteps::resume() {
  TRY(const std::vector<std::byte>& bytes, std::exchange(impl_->readback, {}).take());
  CHECK_OK(impl_->generator->resume(bytes));
  impl_->look();
  return {};
}

Generation GenerateSteps::finish() { return impl_->generator->finish(); }

}  // namespace handloom
