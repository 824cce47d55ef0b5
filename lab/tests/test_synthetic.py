"""The generator's rows are those of the benchmarks."""

import hashlib

from bregman_lab import synthetic


def test_rows_are_the_generators_bit_for_bit() -> None:
    # The sha256 of the f32 stream, which benches/common/profile.rs has too.
    found = hashlib.sha256(synthetic.rows(32).astype("<f4").tobytes()).hexdigest()
    assert found == "bf0ea61eb50d9c0dbc258c4ae55cfc01544e2ac44493d1b23c2dc4a1a9c8602e"
