// A C++ program built with an installed library: checks the version, and draws the token of examples/hello.c.
#include <bregman.h>
#if __has_include(<bregman.hpp>)
#include <bregman.hpp>
#endif

#include <cstdio>
#include <memory>
#include <vector>

int main() {
    if (bregman_abi_version() != BREGMAN_ABI_VERSION) {
        std::fprintf(stderr, "the library's ABI is %u, the header's %u\n", bregman_abi_version(),
                     static_cast<unsigned>(BREGMAN_ABI_VERSION));
        return 1;
    }
    bregman_sampler *raw = nullptr;
    char error[256];
    const char *chain = "temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw";
    if (bregman_sampler_new(chain, 42, &raw, error, sizeof error) != BREGMAN_OK) {
        std::fprintf(stderr, "%s\n", error);
        return 1;
    }
    const std::unique_ptr<bregman_sampler, void (*)(bregman_sampler *)> sampler(raw, bregman_sampler_free);
    const std::vector<float> logits = {2.0f, 1.5f, 0.3f, -1.0f, 1.9f, -4.0f};
    bregman_result r;
    if (bregman_decode(sampler.get(), logits.data(), logits.size(), &r) != BREGMAN_OK) {
        std::fprintf(stderr, "%s\n", bregman_sampler_error(sampler.get()));
        return 1;
    }
    std::printf("token %d, drawn with probability %.3f from a support of %u\n", static_cast<int>(r.token),
                static_cast<double>(r.p), static_cast<unsigned>(r.support));
    return 0;
}
