//! Inputs: their decoding, and the verdict about keeping them.

use arbitrary::{Arbitrary, Unstructured};

/// The use of an input for its target's corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The input was checked.
    Keep,
    /// The input can't be decoded. Others like it are not worth finding.
    Reject,
}

/// Decodes an input as libFuzzer does and checks it.
pub(crate) fn decode<'a, T: Arbitrary<'a>>(bytes: &'a [u8], check: impl FnOnce(T)) -> Verdict {
    // Decoding fills missing bytes with zeroes, so that inputs that are too short would look all the same.
    if bytes.len() < T::size_hint(0).0 {
        return Verdict::Reject;
    }
    match T::arbitrary_take_rest(Unstructured::new(bytes)) {
        Ok(input) => {
            check(input);
            Verdict::Keep
        }
        Err(_) => Verdict::Reject,
    }
}
