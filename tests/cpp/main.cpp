// bregman.hpp compared with the C ABI that it calls.
#include "check.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

unsigned long checks;

void check(bool good, const char *what, const char *file, int line) {
    checks++;
    if (!good) {
        std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        std::exit(1);
    }
}

std::vector<float> row(std::size_t n, unsigned number) {
    std::vector<float> logits(n);
    for (std::size_t i = 0; i < n; i++)
        logits[i] = static_cast<float>((i * 7919 + number * 104729) % 1009) / 128.0f - 4.0f;
    return logits;
}

bool same(const bregman_result &a, const bregman_result &b) {
    // Bytes, because fields that were not requested are NaN.
    return std::memcmp(&a, &b, sizeof a) == 0;
}

int main() {
    test_ownership();
    test_results();
    test_decode();
    test_batch();
    test_answers();
    test_state();
    test_verify();
    test_catalogue();
    std::printf("checks %lu\n", checks);
    return 0;
}
