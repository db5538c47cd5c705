//! The targets, one module each.

mod batch;
mod client_frame;
mod config;
mod handshake;
mod intake;
mod notification;
mod run;
mod server_frame;
mod signature;
mod stored;

pub use batch::batch;
pub use client_frame::client_frame;
pub use config::config;
pub use handshake::handshake;
pub use intake::intake;
pub use notification::notification;
pub use run::run;
pub use server_frame::server_frame;
pub use signature::signature;
pub use stored::stored;

use crate::input::Verdict;

/// A function that checks one input, panicking if a property does not hold.
pub type Target = fn(&[u8]) -> Verdict;

/// Every target by its name, which is also the name of its folder in `corpus`.
pub const ALL: [(&str, Target); 10] = [
    ("batch", batch),
    ("client_frame", client_frame),
    ("config", config),
    ("handshake", handshake),
    ("intake", intake),
    ("notification", notification),
    ("run", run),
    ("server_frame", server_frame),
    ("signature", signature),
    ("stored", stored),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::panic::catch_unwind;
    use std::path::{Path, PathBuf};

    use super::*;

    fn corpus() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Runs a target on each of its saved inputs. A failure names the inputs and the command that repeats it.
    fn replay(name: &str) {
        let (_, target) = ALL.into_iter().find(|(other, _)| *other == name).unwrap();
        let files = files(&corpus().join(name));
        assert!(!files.is_empty(), "{name} has no saved inputs");
        let fails = |path: &&PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            catch_unwind(|| target(&bytes)).is_err()
        };
        let failed: Vec<_> = files.iter().filter(fails).map(|path| path.display().to_string()).collect();
        assert!(failed.is_empty(), "{name} fails: scripts/fuzz {name} {}", failed.join(" "));
    }

    macro_rules! replay {
        ($($test:ident: $target:ident),* $(,)?) => {
            $(
                #[test]
                fn $test() {
                    replay(stringify!($target));
                }
            )*

            const REPLAYED: &[&str] = &[$(stringify!($target)),*];
        };
    }

    replay! {
        batch_passes_its_corpus: batch,
        client_frame_passes_its_corpus: client_frame,
        config_passes_its_corpus: config,
        handshake_passes_its_corpus: handshake,
        intake_passes_its_corpus: intake,
        notification_passes_its_corpus: notification,
        run_passes_its_corpus: run,
        server_frame_passes_its_corpus: server_frame,
        signature_passes_its_corpus: signature,
        stored_passes_its_corpus: stored,
    }

    #[test]
    fn every_target_has_corpus_test_and_program() {
        let targets: BTreeSet<_> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
        let stems = |folder: &Path| -> BTreeSet<_> {
            files(folder).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(stems(&corpus()), targets);
        assert_eq!(REPLAYED.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), targets);
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets");
        assert_eq!(stems(&programs), targets);
    }
}
