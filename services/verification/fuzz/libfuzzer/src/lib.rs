//! The entry point that all libFuzzer programs share.

/// Makes a libFuzzer program of the target with this name.
#[macro_export]
macro_rules! target {
    ($target:ident) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
            match verification_fuzz::targets::$target(bytes) {
                verification_fuzz::Verdict::Keep => libfuzzer_sys::Corpus::Keep,
                verification_fuzz::Verdict::Reject => libfuzzer_sys::Corpus::Reject,
            }
        });
    };
}
