#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bregman_fuzz::targets::run("faces", bytes));
