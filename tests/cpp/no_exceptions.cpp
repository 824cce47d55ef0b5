// An engine compiled without exceptions: `try_x` returns failures as values, and `x` aborts.
#include "bregman.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
    const auto wrong = bregman::sampler::create("nonsense", 1);
    if (wrong || wrong.error().code != bregman::status::invalid_chain)
        return 1;
    auto good = bregman::sampler::create("top_k(3) | draw", 1);
    const float logits[] = {1, 2, 3, 4};
    if (!good || good->try_decode(logits)->token < 1)
        return 1;
    std::puts("values");
    std::fflush(stdout);
    if (argc > 1 && std::strcmp(argv[1], "insist") == 0)
        bregman::sampler("nonsense", 1);
    return 0;
}
